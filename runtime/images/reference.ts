import { ImageError } from '../image-service';

/** A parsed, normalised image name: `web` is docker.io, library/web, latest. */
export interface ImageReference {
  /** Host and optional port; `docker.io` when the name states none. */
  readonly registry: string;
  /** Path within the registry: `library/web`. */
  readonly repository: string;
  /** Set unless only a digest is given. */
  readonly tag: string | undefined;
  /** `sha256:<64 hex>`; wins over the tag. */
  readonly digest: string | undefined;
}

/**
 * Parses what people write in `image:`. @throws ImageError `InvalidImageName`, in the words that
 * Kubernetes uses.
 */
export const parseReference = (name: string): ImageReference => {
  const invalid = (why: string): ImageError =>
    new ImageError(
      'InvalidImageName',
      `Failed to apply default image tag "${shorten(name)}": couldn't parse image name "${shorten(name)}": ${why}`,
    );
  if (name.length > NAME_LENGTH_MAX + TAG_LENGTH_MAX + 80) {
    throw invalid(`repository name must not be more than ${NAME_LENGTH_MAX} characters`);
  }
  if (BARE_ID.test(name)) {
    throw invalid(`invalid repository name (${name}), cannot specify 64-byte hexadecimal strings`);
  }
  const { path, tag, digest } = splitName(name);
  const { registry, repository } = splitRegistry(path);
  if (repository !== repository.toLowerCase()) {
    throw invalid(`invalid reference format: repository name (${repository}) must be lowercase`);
  }
  const wellFormed =
    DOMAIN.test(registry) &&
    isRepository(repository) &&
    (tag === undefined || TAG.test(tag)) &&
    (digest === undefined || DIGEST.test(digest));
  if (!wellFormed) throw invalid('invalid reference format');
  if (`${registry}/${repository}`.length > NAME_LENGTH_MAX) {
    throw invalid(`repository name must not be more than ${NAME_LENGTH_MAX} characters`);
  }
  const impliedTag = tag ?? (digest === undefined ? 'latest' : undefined);
  return { registry, repository, tag: impliedTag, digest };
};

/** `docker.io/library/web`: the name without tag and digest. */
export const repositoryName = ({ registry, repository }: ImageReference): string =>
  `${registry}/${repository}`;

/** The full normalised spelling: `docker.io/library/web:latest`, with `@sha256:...` if given. */
export const formatReference = (reference: ImageReference): string =>
  repositoryName(reference) +
  (reference.tag === undefined ? '' : `:${reference.tag}`) +
  (reference.digest === undefined ? '' : `@${reference.digest}`);

/** `formatReference(parseReference(name))`. */
export const normalizeReference = (name: string): string => formatReference(parseReference(name));

export const isDigest = (text: string): boolean => DIGEST.test(text);

export const isTag = (text: string): boolean => TAG.test(text);

export const isRepository = (path: string): boolean =>
  path.split('/').every((component) => COMPONENT.test(component));

const splitName = (
  name: string,
): { path: string; tag: string | undefined; digest: string | undefined } => {
  const at = name.indexOf('@');
  const digest = at === -1 ? undefined : name.slice(at + 1);
  const rest = at === -1 ? name : name.slice(0, at);
  // A colon before the last slash belongs to a port.
  const colon = rest.indexOf(':', rest.lastIndexOf('/') + 1);
  if (colon === -1) return { path: rest, tag: undefined, digest };
  return { path: rest.slice(0, colon), tag: rest.slice(colon + 1), digest };
};

const splitRegistry = (path: string): { registry: string; repository: string } => {
  const slash = path.indexOf('/');
  const first = path.slice(0, slash);
  const namesHost =
    slash !== -1 && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  const registry = !namesHost || first === 'index.docker.io' ? DOCKER_HUB : first;
  const rest = namesHost ? path.slice(slash + 1) : path;
  const isOfficial = registry === DOCKER_HUB && !rest.includes('/');
  return { registry, repository: isOfficial ? `library/${rest}` : rest };
};

const shorten = (name: string): string => (name.length > 300 ? `${name.slice(0, 300)}...` : name);

export const DOCKER_HUB = 'docker.io';
const NAME_LENGTH_MAX = 255;
const TAG_LENGTH_MAX = 128;
const BARE_ID = /^[a-f0-9]{64}$/;
const DOMAIN =
  /^(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[a-fA-F0-9:]+\])(?::[0-9]{1,5})?$/;
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const DIGEST = /^sha256:[a-f0-9]{64}$/;
