import { notFound } from '../../../api/errors';
import { defineKind } from '../../../api/kinds';
import { apiVersionOf, type Resource } from '../../../api/resources';
import type { Schema } from '../../../api/schema/schema';
import type { ApiObject } from '../../../api/types';
import { compareVersions } from '../../../api/versions';
import type { WatchEvent } from '../../../client/api-client';
import type { VirtualResource } from '../../../client/virtual-resource';
import { Channel } from '../../../lib/async/channel';
import { onAbort } from '../../../lib/async/on-abort';
import { rfc3339 } from '../../../lib/clock';
import { expired } from '../objects/versions';
import { AGE, NAME, printer, text } from '../printing/columns';
import type { KindRegistry } from './kind-registry';
import { serveKind, type ServedKind } from './served-kind';

/**
 * The group versions that are served, as clients of an aggregated API look for them: each is answered by
 * this server itself, and there are no others.
 */
export const apiServiceKind = (services: LocalApiServices): ServedKind => ({
  ...SERVED,
  virtual: services,
});

/** Which they are at the moment; another version each time that one comes or goes. */
export class LocalApiServices implements VirtualResource {
  readonly resource = API_SERVICES;
  private known: ReadonlyMap<string, ApiObject> = new Map();
  private version = 1;
  private readonly watchers = new Set<(events: readonly WatchEvent<ApiObject>[]) => void>();

  constructor(
    private readonly kinds: Pick<KindRegistry, 'kinds' | 'onChange'>,
    private readonly others: readonly GroupVersion[],
    private readonly startedAtMs: number,
  ) {
    this.follow();
    kinds.onChange(() => this.follow());
  }

  async get({ name }: { readonly name: string }): Promise<ApiObject> {
    const found = this.known.get(name);
    if (found === undefined) throw notFound(API_SERVICES.plural, API_SERVICES.group, name);
    return found;
  }

  async list() {
    return { items: [...this.known.values()], resourceVersion: String(this.version) };
  }

  async *watch(
    _namespace: string | undefined,
    from: string,
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent<ApiObject>> {
    // What changed before is not kept.
    if (Number(from) < this.version) throw expired(`too old resource version: ${from}`);
    const events = new Channel<WatchEvent<ApiObject>>(CHANGES_MAX);
    const tell = (changes: readonly WatchEvent<ApiObject>[]) => {
      for (const change of changes) events.push(change);
    };
    this.watchers.add(tell);
    const undo = onAbort(signal, () => events.end());
    try {
      yield* events;
    } finally {
      undo();
      this.watchers.delete(tell);
    }
  }

  private follow(): void {
    const all = [...this.kinds.kinds.map(({ resource }) => resource), ...this.others];
    const names = new Map(all.map((each) => [`${each.version}.${each.group}`, each]));
    const isNew = (name: string) => !this.known.has(name);
    const added = [...names.keys()].filter(isNew);
    const gone = [...this.known.keys()].filter((name) => !names.has(name));
    if (added.length === 0 && gone.length === 0) return;
    this.version++;
    const entries = [...names].map(([name, each]): [string, ApiObject] => [
      name,
      this.known.get(name) ?? this.localService(name, each),
    ]);
    const objectsOf = (list: readonly string[]) =>
      list.flatMap((name) => this.known.get(name) ?? []);
    const removed = objectsOf(gone);
    this.known = new Map(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
    const changes = [
      ...removed.map((object) => ({ type: 'DELETED' as const, object: this.at(object) })),
      ...objectsOf(added).map((object) => ({ type: 'ADDED' as const, object })),
    ];
    for (const tell of this.watchers) tell(changes);
  }

  private at(object: ApiObject): ApiObject {
    const metadata = { ...object.metadata, resourceVersion: String(this.version) };
    return { ...object, metadata };
  }

  private localService(name: string, { group, version }: GroupVersion): ApiObject {
    const creationTimestamp = rfc3339(this.startedAtMs);
    const versions = [...this.kinds.kinds.map(({ resource }) => resource), ...this.others]
      .filter((each) => each.group === group)
      .map((each) => each.version);
    const place = [...new Set(versions)].sort(compareVersions).reverse().indexOf(version);
    const object = {
      apiVersion: apiVersionOf(API_SERVICES),
      kind: API_SERVICES.kind,
      metadata: {
        name,
        creationTimestamp,
        resourceVersion: String(this.version),
        labels: { 'kube-aggregator.kubernetes.io/automanaged': 'onstart' },
      },
      spec: {
        ...(group === '' ? {} : { group }),
        version,
        groupPriorityMinimum: PRIORITIES[group] ?? PRIORITY_OF_OTHERS,
        versionPriority: place + 1,
      },
      status: {
        conditions: [
          {
            type: 'Available',
            status: 'True',
            lastTransitionTime: creationTimestamp,
            reason: 'Local',
            message: 'Local APIServices are always available',
          },
        ],
      },
    };
    return object;
  }
}

interface GroupVersion {
  readonly group: string;
  readonly version: string;
}

const string = (description: string): Schema => ({ type: 'string', description });
const count = (description: string): Schema => ({ type: 'integer', format: 'int32', description });
const object = (description: string, properties: Readonly<Record<string, Schema>>): Schema => ({
  type: 'object',
  description,
  properties,
});

const SCHEMA: Schema = {
  ...object('A group version, and who answers for it.', {
    apiVersion: string('The version of the schema of this object.'),
    kind: string('What this object is.'),
    metadata: { $ref: '#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' },
    spec: object('Which group version it is.', {
      group: string('The group; absent for the core.'),
      groupPriorityMinimum: count('Groups with more come first.'),
      version: string('The version.'),
      versionPriority: count('Versions with more come first.'),
    }),
    status: object('Whether it is answered.', {
      conditions: {
        type: 'array',
        description: 'Available, for one that is.',
        items: object('One condition.', {
          lastTransitionTime: string('Since when it is so.'),
          message: string('Why, for people.'),
          reason: string('Why, in one word.'),
          status: string('True, False or Unknown.'),
          type: string('Of which matter it is.'),
        }),
      },
    }),
  }),
  'x-kubernetes-group-version-kind': [
    { group: 'apiregistration.k8s.io', kind: 'APIService', version: 'v1' },
  ],
};

const API_SERVICES: Resource = {
  group: 'apiregistration.k8s.io',
  version: 'v1',
  kind: 'APIService',
  plural: 'apiservices',
  isNamespaced: false,
  definition: {
    name: 'io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService',
    schema: SCHEMA,
  },
};

const SERVED: ServedKind = {
  ...serveKind(
    defineKind(API_SERVICES, {
      verbs: ['get', 'list', 'watch'],
      categories: ['api-extensions'],
      validateCreate: () => [],
      validateUpdate: () => [],
    }),
    {
      printer: printer(
        NAME,
        text('Service', () => 'Local'),
        text('Available', () => 'True'),
        AGE,
      ),
    },
  ),
  whyReadOnly:
    'APIServices are kept by the server for what it answers itself: it passes no requests on to others',
};

/** Upstream's order of the groups, as far as they are served. */
const PRIORITIES: Readonly<Partial<Record<string, number>>> = {
  '': 18_000,
  apps: 17_800,
  'events.k8s.io': 17_750,
  'authentication.k8s.io': 17_700,
  'authorization.k8s.io': 17_600,
  autoscaling: 17_500,
  batch: 17_400,
  'certificates.k8s.io': 17_300,
  'networking.k8s.io': 17_200,
  policy: 17_100,
  'rbac.authorization.k8s.io': 17_000,
  'storage.k8s.io': 16_800,
  'apiextensions.k8s.io': 16_700,
  'admissionregistration.k8s.io': 16_700,
  'scheduling.k8s.io': 16_600,
  'coordination.k8s.io': 16_500,
  'metrics.k8s.io': 100,
};
const PRIORITY_OF_OTHERS = 1000;
const CHANGES_MAX = 10_000;
