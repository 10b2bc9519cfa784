import { controllerOf } from '../../api/owners';
import { isPodActive } from '../../api/pods';
import { DAEMON_SETS, JOBS, REPLICA_SETS, type Resource } from '../../api/resources';
import type { ApiObject } from '../../api/types';
import type { DraftOf } from '../../client/api-client';
import { folderOfWorlds } from './folder';
import { jobOf, templateOf } from './job-support';
import { seedsOf } from './seeds';
import { World } from './world';

jest.setTimeout(120_000);

const directory = folderOfWorlds();
const labels = { app: 'a' };
const { containers } = templateOf().spec;
const running = {
  metadata: { namespace: 'default', name: 'a' },
  spec: {
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { containers } },
  },
};

const OWNERS: readonly (readonly [string, Resource, DraftOf<ApiObject>, number])[] = [
  [
    'replica set',
    REPLICA_SETS,
    {
      ...{ apiVersion: 'apps/v1', kind: 'ReplicaSet', ...running },
      ...{ spec: { ...running.spec, replicas: 5 } },
    },
    5,
  ],
  ['daemon set', DAEMON_SETS, { apiVersion: 'apps/v1', kind: 'DaemonSet', ...running }, 4],
  ['job', JOBS, jobOf('a', { completions: 5, parallelism: 5 }), 5],
];

describe.each(seedsOf(3))('seed %i', (seed) => {
  it.each(OWNERS)(
    'a %s makes no pod too many while answers are lost and news is late',
    async (_what, resource, draft, count) => {
      await using world = await World.start(seed, directory(), 4);
      const surplus = { most: 0 };
      world.store.onWrite(({ resource: kind }) => {
        if (kind !== 'pods') return;
        const own = world.store.current('pods').filter((pod) => controllerOf(pod)?.name === 'a');
        const active = own.filter((pod) => isPodActive(pod as Parameters<typeof isPodActive>[0]));
        surplus.most = Math.max(surplus.most, active.length);
      });
      world.store.trouble = { refused: 0, ambiguous: 0.4, conflict: 0, slow: 0, late: 0.4 };
      await world.client.create(resource, draft).catch(() => undefined);
      await world.advance(60_000);
      world.store.trouble = { ...world.store.trouble, ambiguous: 0, late: 0 };
      await world.advance(90_000);
      expect(surplus.most).toBe(count);
    },
  );
});
