import { readYaml, YamlError, type Position, type ReadLimits, type YamlDocument } from './read';

/** One object of a manifest file, as it was written: nothing decoded or defaulted yet. */
export interface Manifest {
  readonly value: Readonly<Record<string, unknown>>;
  /** Where its document, or its item of a list, begins. */
  readonly line: number;
  /** Where a field of this object stands: `spec.containers[0].image`. */
  readonly positionOf: (path: string) => Position;
}

export interface ReadManifests {
  readonly manifests: readonly Manifest[];
  /** Keys given twice; empty unless `duplicateKeys` is `warn`. */
  readonly warnings: readonly string[];
}

export interface ManifestOptions extends ReadLimits {
  /** A key given twice loses its first value: refused, told, or ignored. `error` by default. */
  readonly duplicateKeys?: 'error' | 'warn' | 'ignore';
}

const MANIFESTS_MAX = 10_000;
const LIST_DEPTH_MAX = 5;

/**
 * The objects of a YAML or JSON stream, lists taken apart.
 * @throws YamlError naming line and path
 */
export const readManifests = (
  source: string | Uint8Array,
  { duplicateKeys = 'error', ...limits }: ManifestOptions = {},
): ReadManifests => {
  const documents = readYaml(source, limits);
  const duplicates =
    duplicateKeys === 'ignore'
      ? []
      : documents.flatMap((document) => document.duplicates.map(describeDuplicate));
  if (duplicateKeys === 'error' && duplicates.length > 0) {
    throw new YamlError(duplicates.join('; '));
  }
  const manifests = documents.flatMap((document) => objectsIn(document, document.value, '', 0));
  if (manifests.length > MANIFESTS_MAX) {
    throw new YamlError(`the input holds more than ${MANIFESTS_MAX} objects`);
  }
  return {
    manifests,
    warnings: duplicates.map((text) => `${text}; the first value was dropped`),
  };
};

const describeDuplicate = ({
  path,
  firstLine,
  secondLine,
}: YamlDocument['duplicates'][number]): string =>
  `key "${path.slice(path.lastIndexOf('.') + 1)}" is given twice at ${path}: lines ${firstLine} and ${secondLine}`;

const objectsIn = (
  document: YamlDocument,
  value: unknown,
  path: string,
  depth: number,
): readonly Manifest[] => {
  const { line } = path === '' ? document : document.positionOf(path);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const found = Array.isArray(value)
      ? 'a list'
      : value === null
        ? 'nothing'
        : `a ${typeof value}`;
    throw new YamlError(`expected an object, found ${found}`, line);
  }
  const object = value as Readonly<Record<string, unknown>>;
  const { kind, items } = object;
  if (typeof kind === 'string' && kind.endsWith('List') && Array.isArray(items)) {
    if (depth >= LIST_DEPTH_MAX) throw new YamlError('lists are nested too deeply', line);
    return items.flatMap((item, i) =>
      objectsIn(document, item, `${path === '' ? '' : `${path}.`}items[${i}]`, depth + 1),
    );
  }
  const prefix = path === '' ? '' : `${path}.`;
  return [{ value: object, line, positionOf: (field) => document.positionOf(prefix + field) }];
};
