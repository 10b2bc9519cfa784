import type { RestClient } from '../client/rest-client';
import { inOtherVersion, named, WELL_KNOWN, type NamedResource } from './well-known';

/** A kind as the server offers it. */
export interface OfferedResource extends NamedResource {
  readonly categories: readonly string[];
  readonly shortNames: readonly string[];
  readonly verbs: readonly string[];
  /** In the version that is meant where none is named. */
  readonly isPreferred: boolean;
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

  /**
   * By plural, singular, kind or short name in any case, also with its group, or its version and
   * group, behind a dot.
   */
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
    const kinds = (await Promise.all(PATHS.map((path) => this.kindsAt(path)))).flat();
    return kinds.filter(({ isPreferred }) => isPreferred);
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
  const seen = new Set<string>();
  return versions.flatMap(({ version, resources = [] }) =>
    resources.map((entry) => {
      // The first version that has a kind is the preferred one.
      const isPreferred = !seen.has(entry.resource);
      seen.add(entry.resource);
      const resource = {
        group,
        version,
        kind: entry.responseKind.kind,
        plural: entry.resource,
        isNamespaced: entry.scope === 'Namespaced',
      };
      const known = named(resource, entry.singularResource, entry.shortNames);
      return {
        ...(isPreferred ? known : inOtherVersion(known)),
        categories: entry.categories ?? [],
        shortNames: entry.shortNames ?? [],
        verbs: entry.verbs ?? [],
        isPreferred,
      };
    }),
  );
};
