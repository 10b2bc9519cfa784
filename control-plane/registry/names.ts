import { RegistryError } from './errors';

const COMPONENT = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const REPOSITORY = new RegExp(`^${COMPONENT}(?:/${COMPONENT})*$`);
const HOST = /^[a-zA-Z0-9][a-zA-Z0-9.-]{0,252}(?::[0-9]{1,5})?$/;
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;

/**
 * The full name of a repository: the registry that the image belongs to, then its path there. The
 * registry is what `?ns=` says, or a first component that can only be a host, or Docker Hub.
 * @throws RegistryError NAME_INVALID
 */
export const fullName = (path: string, ns: string | null): string => {
  const slash = path.indexOf('/');
  const first = slash < 0 ? '' : path.slice(0, slash);
  const hasHost =
    ns === null && (first.includes('.') || first.includes(':') || first === 'localhost');
  const host = ns ?? (hasHost ? first : 'docker.io');
  const repository = hasHost ? path.slice(slash + 1) : path;
  if (path.length > 255 || !REPOSITORY.test(repository) || !HOST.test(host)) {
    throw new RegistryError(400, 'NAME_INVALID', `"${path}" is not the name of a repository`);
  }
  const name = `${host}/${repository}`;
  if (folderOf(name).length > FILE_NAME_MAX) {
    const why = 'with its registry it is longer than this registry can store';
    throw new RegistryError(400, 'NAME_INVALID', `"${path}": ${why}`);
  }
  return name;
};

/** One path component, whatever the name holds. */
export const folderOf = (name: string): string => encodeURIComponent(name);

/** Of the file systems of Linux, in bytes. */
const FILE_NAME_MAX = 255;

export const isDigest = (text: string): boolean => DIGEST.test(text);

export const isTag = (text: string): boolean => TAG.test(text);

/** @throws RegistryError DIGEST_INVALID */
export const checkDigest = (text: string | null): string => {
  if (text !== null && isDigest(text)) return text;
  throw new RegistryError(400, 'DIGEST_INVALID', `"${text ?? ''}" is not a sha256 digest`);
};
