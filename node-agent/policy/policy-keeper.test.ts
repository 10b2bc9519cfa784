import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { CLUSTER_KEY, NETWORK_ROW, POLICY_ROW } from '../../api/assignment-rows';
import { ManualClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { FakePodNetwork } from '../../runtime/network';
import { sandboxIdOf } from '../inventory/labels';
import { NetworkTables } from '../session/network-tables';
import { PolicyKeeper } from './policy-keeper';

let directory: string;
let clock: ManualClock;
let tables: NetworkTables;
let network: FakePodNetwork;
let stop: AbortController;
let running: Promise<void>;
let keeper: PolicyKeeper;
let mirrors: Map<string, string>;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'policy-keeper-'));
  clock = new ManualClock();
  tables = new NetworkTables(directory, silentLog, clock);
  network = new FakePodNetwork(['10.42.0.0/24'], clock);
  stop = new AbortController();
  mirrors = new Map();
  const ownPods = {
    ownUid: (uid: string) => [...mirrors].find(([, mirror]) => mirror === uid)?.[0] ?? uid,
    uids: () => mirrors.keys(),
  };
  keeper = new PolicyKeeper({ tables, ownPods, network: () => network, clock, log: silentLog });
  running = keeper.run(stop.signal);
});
afterEach(async () => {
  stop.abort();
  await clock.advance(10_000);
  await running;
  rmSync(directory, { recursive: true, force: true });
});

const CLUSTER = {
  podCidrs: ['10.42.0.0/16'],
  serviceCidrs: ['10.96.0.0/16'],
  nodePortRange: { first: 30_000, last: 32_767 },
  clusterDns: ['10.96.0.10'],
  clusterDomain: 'cluster.local',
};
const DENY = { key: 'a/deny', ingress: [] };

const row = (resource: string, key: string, value: object) => ({
  ...{ resource, key, version: '' },
  json: Buffer.from(JSON.stringify(value)),
});
const cluster = row(NETWORK_ROW.clusterNetwork, CLUSTER_KEY, CLUSTER);
const podRow = (uid: string, ...policies: readonly string[]) =>
  row(POLICY_ROW.podPolicies, uid, { uid, policies });
const policyRow = row(POLICY_ROW.policies, DENY.key, DENY);

const hear = async (
  rows: readonly ReturnType<typeof row>[],
  removed: readonly { readonly resource: string; readonly key: string }[] = [],
) => {
  tables.applyChanges({ rows: [...rows], removed: [...removed] });
  await clock.advance(50);
};
const sandbox = (uid: string) => network.policies?.sandboxes.get(sandboxIdOf(uid));

it('touches nothing before the server has told', async () => {
  await clock.advance(30_000);
  expect(network.policies).toBeUndefined();
});

it('has the network hold what the server tells, and again now and then', async () => {
  await hear([policyRow, podRow('u1', 'a/deny'), podRow('u2'), cluster]);
  expect(sandbox('u1')).toEqual({ ingress: ['a/deny'] });
  expect(sandbox('u2')).toEqual({});
  expect(network.policies?.guardedAddresses).toEqual(['10.96.0.10']);
  network.policies = undefined;
  await clock.advance(2_500);
  expect(sandbox('u1')).toEqual({ ingress: ['a/deny'] });
});

it('lets a pod wait until it is known what holds for it', async () => {
  await hear([cluster]);
  let isReady = false;
  const ready = keeper.prepare('u1', stop.signal).then(() => (isReady = true));
  await clock.advance(1_000);
  expect(isReady).toBe(false);
  await hear([policyRow, podRow('u1', 'a/deny')]);
  await ready;
  expect(sandbox('u1')).toEqual({ ingress: ['a/deny'] });
});

it('says so when nobody tells', async () => {
  await hear([cluster]);
  const failed = expect(keeper.prepare('u1', stop.signal)).rejects.toThrow(
    'the network policies of the pod are not known yet',
  );
  await clock.advance(6_000);
  await failed;
});

it('holds a pod of which the server tells no more to what held, while it is there', async () => {
  await hear([policyRow, podRow('u1', 'a/deny'), podRow('u2'), cluster]);
  await network.attach({ sandboxId: sandboxIdOf('u1'), netnsPath: '/none' });
  await hear(
    [],
    [
      { resource: POLICY_ROW.podPolicies, key: 'u1' },
      { resource: POLICY_ROW.podPolicies, key: 'u2' },
      { resource: POLICY_ROW.policies, key: DENY.key },
    ],
  );
  expect(sandbox('u1')).toEqual({ ingress: ['a/deny'] });
  expect(sandbox('u2')).toBeUndefined();
  await network.detach(sandboxIdOf('u1'));
  await clock.advance(2_500);
  expect(sandbox('u1')).toBeUndefined();
});

it('lets nothing pass by a policy that is not known', async () => {
  await hear([podRow('u1', 'a/none'), cluster]);
  expect(sandbox('u1')).toEqual({ ingress: ['a/none'], egress: ['a/none'] });
});

it("lets the node's own pods start without the server, and holds them to what holds for their mirrors", async () => {
  await hear([cluster]);
  mirrors.set('own', '');
  keeper.ownPodsChanged();
  keeper.ownPodsChanged();
  await keeper.prepare('own', stop.signal);
  expect(sandbox('own')).toEqual({});
  await hear([policyRow, podRow('mirror', 'a/deny')]);
  mirrors.set('own', 'mirror');
  keeper.ownPodsChanged();
  await clock.advance(50);
  expect(sandbox('own')).toEqual({ ingress: ['a/deny'] });
  await network.attach({ sandboxId: sandboxIdOf('own'), netnsPath: '/none' });
  await hear([], [{ resource: POLICY_ROW.podPolicies, key: 'mirror' }]);
  expect(sandbox('own')).toEqual({ ingress: ['a/deny'] });
});
