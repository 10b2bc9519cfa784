import * as resources from '../api/resources';
import type { Resource } from '../api/resources';

/** A kind, and all names that a user may call it by, lower case. */
export interface NamedResource extends Resource {
  readonly names: readonly string[];
}

/** `pods`, `pod` and short names, each also with the group, or the version and the group, behind a dot. */
export const named = (
  resource: Resource,
  singular = resource.kind,
  shortNames: readonly string[] = [],
): NamedResource => {
  const { group, version, kind, plural, isNamespaced } = resource;
  const bare = [plural, singular, kind, ...shortNames]
    .filter((name) => name !== '')
    .map((name) => name.toLowerCase());
  const names = [...bare, ...bare.map((name) => `${name}.${group}`), ...versioned(resource, bare)];
  return { group, version, kind, plural, isNamespaced, names };
};

/** A kind in a version that is not the first: meant only by who names that. */
export const inOtherVersion = (known: NamedResource): NamedResource => ({
  ...known,
  names: known.names.filter((name) => name.endsWith(suffixOf(known))),
});

const versioned = (resource: Resource, bare: readonly string[]): readonly string[] =>
  bare.map((name) => name + suffixOf(resource));

const suffixOf = ({ group, version }: Resource): string => `.${version}.${group}`;

/**
 * Kinds that every server has under the same names, so that no question to the server goes before
 * the one that the user asked. All others are found by discovery.
 */
export const WELL_KNOWN: readonly NamedResource[] = [
  named(resources.PODS, 'pod', ['po']),
  named(resources.NODES, 'node', ['no']),
  named(resources.NAMESPACES, 'namespace', ['ns']),
  named(resources.DEPLOYMENTS, 'deployment', ['deploy']),
  named(resources.REPLICA_SETS, 'replicaset', ['rs']),
  named(resources.CONFIG_MAPS, 'configmap', ['cm']),
  named(resources.SECRETS, 'secret'),
  named(resources.SERVICE_ACCOUNTS, 'serviceaccount', ['sa']),
];
