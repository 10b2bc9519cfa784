import { ISOLATION } from '../../../api/isolation';
import { POD_EXPLANATIONS } from '../../../api/resources';
import { createHash } from 'node:crypto';
import { compareVersions } from '../../../api/versions';
import type { ServedKind } from '../kinds/served-kind';
import type { KindRegistry } from '../kinds/kind-registry';

/** A thing one can only POST to: reviews. */
export interface CreateOnlyResource {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly isNamespaced?: boolean;
}

/** One group version with its resources, from which both forms of discovery are written. */
interface GroupVersion {
  readonly group: string;
  readonly version: string;
  readonly kinds: readonly ServedKind[];
  readonly createOnly: readonly CreateOnlyResource[];
}

/** What the server serves, as /api and /apis tell it. */
export class Discovery {
  private known: { readonly from: object; readonly versions: readonly GroupVersion[] } | undefined;

  constructor(
    private readonly registry: Pick<KindRegistry, 'kinds'>,
    private readonly createOnly: readonly CreateOnlyResource[],
  ) {}

  /** APIGroupDiscoveryList v2 of the core group, or of all others. */
  aggregated(root: 'api' | 'apis') {
    const groups = this.groupNames(root);
    return {
      kind: 'APIGroupDiscoveryList',
      apiVersion: 'apidiscovery.k8s.io/v2',
      metadata: {},
      items: groups.map((group) => ({
        metadata: { name: group, creationTimestamp: null },
        versions: this.versionsOf(group).map(aggregatedVersion),
      })),
    };
  }

  coreVersions() {
    return {
      kind: 'APIVersions',
      versions: this.versionsOf('').map(({ version }) => version),
      serverAddressByClientCIDRs: [],
    };
  }

  groupList() {
    const groups = this.groupNames('apis').map((name) => this.group(name));
    return { kind: 'APIGroupList', apiVersion: 'v1', groups };
  }

  /** APIGroup; undefined when there is no such group. */
  groupDocument(name: string) {
    return this.versionsOf(name).length === 0
      ? undefined
      : { kind: 'APIGroup', apiVersion: 'v1', ...this.group(name) };
  }

  /** APIResourceList; undefined when there is no such group version. */
  resourceList(group: string, version: string) {
    const found = this.versionsOf(group).find((candidate) => candidate.version === version);
    if (found === undefined) return undefined;
    return {
      kind: 'APIResourceList',
      // Upstream's list of the core group is of before lists had versions.
      ...(group === '' ? {} : { apiVersion: 'v1' }),
      groupVersion: groupVersionOf(group, version),
      resources: [
        ...found.kinds.flatMap(resourceEntries),
        ...found.createOnly.map(createOnlyEntry),
      ].sort((a, b) => (a.name < b.name ? -1 : 1)),
    };
  }

  /** `v1`, `apps/v1`, ... */
  groupVersionNames(): readonly string[] {
    return this.versions.map(({ group, version }) => groupVersionOf(group, version));
  }

  isCreateOnly(group: string, version: string, plural: string): boolean {
    return this.createOnly.some(
      (other) => other.group === group && other.version === version && other.plural === plural,
    );
  }

  /** Made anew whenever a kind has come or gone. */
  private get versions(): readonly GroupVersion[] {
    const { kinds } = this.registry;
    if (this.known?.from !== kinds)
      this.known = { from: kinds, versions: groupVersions(kinds, this.createOnly) };
    return this.known.versions;
  }

  private groupNames(root: 'api' | 'apis'): readonly string[] {
    if (root === 'api') return [''];
    const groups = [...new Set(this.versions.map(({ group }) => group))].filter(Boolean);
    return groups.sort((a, b) => placeOf(a) - placeOf(b));
  }

  private versionsOf(group: string): readonly GroupVersion[] {
    return this.versions
      .filter((candidate) => candidate.group === group)
      .sort((a, b) => compareVersions(a.version, b.version));
  }

  private group(name: string) {
    const versions = this.versionsOf(name).map(({ version }) => ({
      groupVersion: groupVersionOf(name, version),
      version,
    }));
    return { name, versions, preferredVersion: versions[0] };
  }
}

/** Clients that are given a bare name take the first group that has it: upstream's order. */
const placeOf = (group: string): number => {
  const place = GROUPS_IN_ORDER.indexOf(group);
  return place < 0 ? GROUPS_IN_ORDER.length : place;
};

const GROUPS_IN_ORDER = [
  'apiregistration.k8s.io',
  'apps',
  'events.k8s.io',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'autoscaling',
  'batch',
  'certificates.k8s.io',
  'networking.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'storage.k8s.io',
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'scheduling.k8s.io',
  'coordination.k8s.io',
  'node.k8s.io',
  'discovery.k8s.io',
  'resource.k8s.io',
  'flowcontrol.apiserver.k8s.io',
  'metrics.k8s.io',
];

const groupVersions = (
  kinds: readonly ServedKind[],
  createOnly: readonly CreateOnlyResource[],
): readonly GroupVersion[] => {
  const all = [...kinds.map(({ resource }) => resource), ...createOnly];
  const names = [...new Set(all.map(({ group, version }) => `${group}/${version}`))];
  return names.map((key) => {
    const [group = '', version = ''] = key.split('/');
    const isHere = (other: { readonly group: string; readonly version: string }) =>
      other.group === group && other.version === version;
    return {
      group,
      version,
      kinds: kinds.filter(({ resource }) => isHere(resource)),
      createOnly: createOnly.filter(isHere),
    };
  });
};

const aggregatedVersion = ({ group, version, kinds, createOnly }: GroupVersion) => ({
  version,
  resources: [
    ...kinds.map((kind) => {
      const { resource, singular, shortNames, categories, verbs, subresources } = kind;
      return {
        resource: resource.plural,
        responseKind: { group, version, kind: resource.kind },
        scope: resource.isNamespaced ? 'Namespaced' : 'Cluster',
        singularResource: singular,
        verbs,
        ...(shortNames.length === 0 ? {} : { shortNames }),
        ...(categories.length === 0 ? {} : { categories }),
        ...(subresources.length === 0
          ? {}
          : { subresources: subresources.map((name) => aggregatedSubresource(kind, name)) }),
      };
    }),
    ...createOnly.map(({ plural, kind, isNamespaced = false }) => ({
      resource: plural,
      responseKind: { group, version, kind },
      scope: isNamespaced ? 'Namespaced' : 'Cluster',
      singularResource: kind.toLowerCase(),
      verbs: ['create'],
    })),
  ].sort((a, b) => (a.resource < b.resource ? -1 : 1)),
  freshness: 'Current',
});

const aggregatedSubresource = (kind: ServedKind, name: string) => {
  const { group, version, kind: kindName, verbs } = subresourceFacts(kind, name);
  return { subresource: name, responseKind: { group, version, kind: kindName }, verbs };
};

const resourceEntries = (kind: ServedKind): readonly ResourceEntry[] => {
  const { resource, singular, shortNames, categories, verbs, subresources } = kind;
  return [
    {
      name: resource.plural,
      singularName: singular,
      namespaced: resource.isNamespaced,
      kind: resource.kind,
      verbs,
      ...(shortNames.length === 0 ? {} : { shortNames }),
      ...(categories.length === 0 ? {} : { categories }),
      ...(kind.virtual === undefined ? { storageVersionHash: storageVersionHash(kind) } : {}),
    },
    ...subresources.map((name) => {
      const facts = subresourceFacts(kind, name);
      const isForeign = facts.group !== resource.group || facts.version !== resource.version;
      return {
        name: `${resource.plural}/${name}`,
        singularName: '',
        namespaced: resource.isNamespaced,
        ...(isForeign ? { group: facts.group, version: facts.version } : {}),
        kind: facts.kind,
        verbs: facts.verbs,
      };
    }),
  ];
};

interface ResourceEntry {
  readonly name: string;
  readonly singularName: string;
  readonly namespaced: boolean;
  readonly group?: string;
  readonly version?: string;
  readonly kind: string;
  readonly verbs: readonly string[];
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly storageVersionHash?: string;
}

/** Tells those who migrate what is stored that it is kept in another version. Source: storageversionhash.go. */
const storageVersionHash = ({ resource, storedAs = resource }: ServedKind): string => {
  const { group, version, kind } = storedAs;
  const hash = createHash('sha256').update(`${group}/${version}/${kind}`).digest();
  return hash.subarray(0, 8).toString('base64');
};

const createOnlyEntry = ({
  plural,
  kind,
  isNamespaced = false,
}: CreateOnlyResource): ResourceEntry => ({
  name: plural,
  singularName: kind.toLowerCase(),
  namespaced: isNamespaced,
  kind,
  verbs: ['create'],
});

/** What a subresource takes and allows. */
const subresourceFacts = ({ resource }: ServedKind, name: string) => {
  const { group, version, kind } = resource;
  switch (name) {
    case 'scale':
      return { group: 'autoscaling', version: 'v1', kind: 'Scale', verbs: READ_WRITE };
    case 'eviction':
      return { group: 'policy', version: 'v1', kind: 'Eviction', verbs: ['create'] };
    case 'token':
      return {
        group: 'authentication.k8s.io',
        version: 'v1',
        kind: 'TokenRequest',
        verbs: ['create'],
      };
    case 'binding':
      return { group, version, kind: 'Binding', verbs: ['create'] };
    case 'exec':
      return { group, version, kind: 'PodExecOptions', verbs: ['create', 'get'] };
    case 'attach':
      return { group, version, kind: 'PodAttachOptions', verbs: ['create', 'get'] };
    case 'portforward':
      return { group, version, kind: 'PodPortForwardOptions', verbs: ['create', 'get'] };
    case 'proxy':
      return kind === 'Node'
        ? { group, version, kind: 'NodeProxyOptions', verbs: ['get'] }
        : { group, version, kind: `${kind}ProxyOptions`, verbs: PROXY_VERBS };
    case 'scheduling':
      return { ...EXPLAINED, verbs: ['get'] };
    case 'isolation':
      return { ...ISOLATION, verbs: ['get'] };
    case 'log':
      return { group, version, kind, verbs: ['get'] };
    case 'finalize':
      return { group, version, kind, verbs: ['update'] };
    default:
      return { group, version, kind, verbs: READ_WRITE };
  }
};

const groupVersionOf = (group: string, version: string): string =>
  group === '' ? version : `${group}/${version}`;

const PROXY_VERBS = ['create', 'delete', 'get', 'patch', 'update'];
const EXPLAINED = (({ group, version, kind }) => ({ group, version, kind }))(POD_EXPLANATIONS);
const READ_WRITE = ['get', 'patch', 'update'];
