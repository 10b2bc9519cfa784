import type { Resource } from '../api/resources';
import type { RestClient } from '../client/rest-client';

/** A kind as the server offers it. */
export interface ApiResourceInfo extends Resource {
  /** All names a user may call it by, lower case. */
  readonly names: readonly string[];
  readonly categories: readonly string[];
  readonly verbs: readonly string[];
}

/**
 * The kinds of the server. The core group is asked for first and, for most commands, alone: it wins
 * where two groups use a name. Source: KEP-3352, aggregated discovery.
 */
export class Discovery {
  private readonly groups = new Map<string, Promise<readonly ApiResourceInfo[]>>();

  constructor(
    private readonly client: RestClient,
    private readonly signal: AbortSignal,
  ) {}

  /** By plural, singular, kind or short name in any case, also with its group behind a dot. */
  async find(name: string): Promise<ApiResourceInfo | undefined> {
    const wanted = name.toLowerCase();
    for (const path of ['/api', '/apis']) {
      const found = (await this.kindsAt(path)).find(({ names }) => names.includes(wanted));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  private kindsAt(path: string): Promise<readonly ApiResourceInfo[]> {
    const known = this.groups.get(path) ?? this.fetch(path);
    this.groups.set(path, known);
    return known;
  }

  private async fetch(path: string): Promise<readonly ApiResourceInfo[]> {
    const { client, signal } = this;
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
    const document = await client.json<Aggregated>({ method: 'GET', path, accept, signal });
    return document.items.flatMap(infosOfGroup);
  }
}

interface Aggregated {
  readonly items: readonly AggregatedGroup[];
}

interface AggregatedGroup {
  readonly metadata?: { readonly name?: string };
  readonly versions: readonly {
    readonly version: string;
    readonly resources?: readonly AggregatedResource[];
  }[];
}

interface AggregatedResource {
  readonly resource: string;
  readonly responseKind: { readonly kind: string };
  readonly scope: 'Namespaced' | 'Cluster';
  readonly singularResource?: string;
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly verbs: readonly string[];
}

const infosOfGroup = ({ metadata, versions }: AggregatedGroup): ApiResourceInfo[] => {
  const group = metadata?.name ?? '';
  // The first version is the preferred one.
  const [preferred] = versions;
  return (preferred?.resources ?? []).map((entry) => ({
    group,
    version: preferred?.version ?? '',
    kind: entry.responseKind.kind,
    plural: entry.resource,
    isNamespaced: entry.scope === 'Namespaced',
    names: namesOf(entry, group),
    categories: entry.categories ?? [],
    verbs: entry.verbs,
  }));
};

/** Plural, singular, kind and short names, each also with the group behind a dot. */
const namesOf = (entry: AggregatedResource, group: string): string[] => {
  const { resource, singularResource = '', responseKind, shortNames = [] } = entry;
  const bare = [resource, singularResource, responseKind.kind, ...shortNames]
    .filter((name) => name !== '')
    .map((name) => name.toLowerCase());
  return [...bare, ...bare.map((name) => `${name}.${group}`)];
};
