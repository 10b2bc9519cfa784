import { ApiError } from '../../api/errors';
import type { Pod, PodStatus } from '../../api/types';
import { ManualClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { seededRandom } from '../../lib/random';
import type { PodStatusUpdate } from '../../proto/gen/dhow/agent/v1/agent';
import { StatusKeeper } from './status-keeper';

const clock = new ManualClock();
let stop: AbortController;
let running: Promise<void>;
let accepted: PodStatusUpdate[];
let acknowledged: string[];
let outcome: (update: PodStatusUpdate) => Promise<Pod | undefined>;
let keeper: StatusKeeper;

beforeEach(() => {
  [accepted, acknowledged] = [[], []];
  outcome = async ({ uid }) => podOf(uid, statusOf('Running'), '1');
  keeper = new StatusKeeper({
    nodeName: 'n1',
    intake: {
      accept: (_node, update) => {
        accepted.push(update);
        return outcome(update);
      },
    },
    acknowledge: async ({ uid }) => void acknowledged.push(uid),
    clock,
    random: seededRandom(1),
    log: silentLog,
  });
  stop = new AbortController();
  running = keeper.run(stop.signal);
});

afterEach(async () => {
  stop.abort();
  await running;
});

const statusOf = (phase: string): PodStatus => ({ phase, conditions: [] });

const podOf = (uid: string, status: PodStatus, resourceVersion: string): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: uid, namespace: 'default', uid, resourceVersion },
  spec: { nodeName: 'n1', containers: [] },
  status,
});

const update = (uid: string, phase = 'Running', paddingBytes = 0): PodStatusUpdate => ({
  namespace: 'default',
  name: uid,
  uid,
  status: Buffer.from(JSON.stringify({ ...statusOf(phase), message: 'x'.repeat(paddingBytes) })),
  terminated: false,
});

const settled = async () => {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
};

const fail = () => Promise.reject(new ApiError('ServiceUnavailable', 'etcd is away'));

it('acknowledges a report once it is stored, however long that takes', async () => {
  outcome = fail;
  keeper.report(update('a'));
  await settled();
  for (let second = 0; second < 40; second++) {
    await clock.advance(1000);
    await settled();
  }
  expect(accepted.length).toBeGreaterThan(4);
  expect(acknowledged).toEqual([]);
  outcome = async () => podOf('a', statusOf('Running'), '1');
  await clock.advance(10_000);
  await settled();
  expect(acknowledged).toEqual(['a']);
});

it('lets the other reports pass one that cannot be stored', async () => {
  outcome = async ({ uid }) => (uid === 'a' ? fail() : podOf(uid, statusOf('Running'), '1'));
  for (const uid of ['a', 'b', 'c']) keeper.report(update(uid));
  await settled();
  expect(acknowledged).toEqual(['b', 'c']);
});

it('does not take the storing of an older report for that of a newer', async () => {
  let finish: (pod: Pod) => void = () => undefined;
  outcome = () => new Promise((resolve) => (finish = resolve));
  keeper.report(update('a', 'Pending'));
  await settled();
  keeper.report(update('a', 'Running'));
  finish(podOf('a', statusOf('Pending'), '1'));
  await settled();
  expect(acknowledged).toEqual([]);
  finish(podOf('a', statusOf('Running'), '2'));
  await settled();
  expect(acknowledged).toEqual(['a']);
});

it('stores a newer report after the older, whose late writing would undo it', async () => {
  let finish: (pod: Pod) => void = () => undefined;
  outcome = () => new Promise((resolve) => (finish = resolve));
  keeper.report(update('a', 'Pending'));
  await settled();
  keeper.report(update('a', 'Running'));
  await settled();
  expect(accepted).toHaveLength(1);
  finish(podOf('a', statusOf('Pending'), '1'));
  await settled();
  expect(accepted).toEqual([update('a', 'Pending'), update('a', 'Running')]);
  finish(podOf('a', statusOf('Running'), '2'));
  await settled();
  expect(acknowledged).toEqual(['a']);
});

it('stores a report again when the stored status says something else', async () => {
  keeper.report(update('a'));
  await settled();
  const wrong = podOf('a', statusOf('Pending'), '5');
  keeper.compare([wrong]);
  keeper.compare([wrong]);
  await clock.advance(500);
  await settled();
  expect(accepted).toHaveLength(2);
  keeper.compare([podOf('a', { ...statusOf('Running'), message: '' }, '6')]);
  await clock.advance(60_000);
  expect(accepted).toHaveLength(2);
});

it('forgets pods that are gone', async () => {
  keeper.report(update('a'));
  await settled();
  keeper.compare([]);
  keeper.compare([podOf('a', statusOf('Pending'), '5')]);
  await clock.advance(60_000);
  await settled();
  expect(accepted).toHaveLength(1);
});

it('is full at a bound of reports and of bytes, and has room again', async () => {
  outcome = fail;
  for (let n = 0; n < 512; n++) {
    expect(keeper.isFull).toBe(false);
    keeper.report(update(`pod-${n}`));
  }
  expect(keeper.isFull).toBe(true);
  const room = keeper.whenRoom(stop.signal);
  await settled();
  outcome = async ({ uid }) => podOf(uid, statusOf('Running'), '1');
  await clock.advance(60_000);
  await room;
  await settled();
  outcome = fail;
  for (let n = 0; n < 8; n++) keeper.report(update(`large-${n}`, 'Running', 1024 * 1024 - 200));
  expect(keeper.isFull).toBe(false);
  keeper.report(update('large-8', 'Running', 1024 * 1024 - 200));
  expect(keeper.isFull).toBe(true);
});

it('drops a report that no store would take, and one of no pod', async () => {
  keeper.report(update('a', 'Running', 2 * 1024 * 1024));
  keeper.report(update(''));
  await settled();
  expect(accepted).toEqual([]);
});
