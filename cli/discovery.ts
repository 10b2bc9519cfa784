import type { RestClient } from '../client/rest-client';
import { named, WELL_KNOWN, type NamedResource } from './well-known';

/** A kind as the server offers it. */
export interface OfferedResource extends NamedResource {
  readonly categories: readonly string[];
  readonly shortNames: readonly string[];
  readonly verbs: readonly string[];
}

/**
 * The kinds of the server. The core group is asked for first and, for most commands, alone: it wins
 * where two groups use a name. Source: KEP-3352, aggregated discovery.
 */
export class Discovery {
  private readonly groups = new Map<string, Promise<readonly OfferedResource[]>>();

  constructor(
    private readonly client: RestClient,
    private readonly signal: AbortSignal,
  ) {}

  /** By plural, singular, kind or short name in any case, also with its group behind a dot. */
  async find(name: string): Promise<NamedResource | undefined> {
    const wanted = name.toLowerCase();
    const isMeant = ({ names }: NamedResource) => names.includes(wanted);
    const known = WELL_KNOWN.find(isMeant);
    if (known !== undefined) return known;
    for (const path of PATHS) {
      const found = (await this.kindsAt(path)).find(isMeant);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** The kinds that belong to a category, such as `all`. */
  async inCategory(category: string): Promise<readonly NamedResource[]> {
    return (await this.all()).filter(({ categories }) =>
      categories.includes(category.toLowerCase()),
    );
  }

  /** Of all groups, each in its preferred version. */
  async all(): Promise<readonly OfferedResource[]> {
    return (await Promise.all(PATHS.map((path) => this.kindsAt(path)))).flat();
  }

  private kindsAt(path: string): Promise<readonly OfferedResource[]> {
    const known = this.groups.get(path) ?? this.fetch(path);
    this.groups.set(path, known);
    return known;
  }

  private async fetch(path: string): Promise<readonly OfferedResource[]> {
    const { client, signal } = this;
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
    const document = await client.json<Aggregated>({ method: 'GET', path, accept, signal });
    return document.items.flatMap(resourcesOfGroup);
  }
}

const PATHS = ['/api', '/apis'];

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
  readonly verbs?: readonly string[];
}

const resourcesOfGroup = ({ metadata, versions }: AggregatedGroup): OfferedResource[] => {
  const group = metadata?.name ?? '';
  // The first version is the preferred one.
  const [preferred] = versions;
  return (preferred?.resources ?? []).map((entry) => {
    const resource = {
      group,
      version: preferred?.version ?? '',
      kind: entry.responseKind.kind,
      plural: entry.resource,
      isNamespaced: entry.scope === 'Namespaced',
    };
    return {
      ...named(resource, entry.singularResource, entry.shortNames),
      categories: entry.categories ?? [],
      shortNames: entry.shortNames ?? [],
      verbs: entry.verbs ?? [],
    };
  });
};
