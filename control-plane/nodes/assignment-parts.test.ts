import type { AssignmentDelta } from '../../proto/gen/dhow/agent/v1/agent';
import { partsOf, snapshotOf } from './assignment-parts';

const MAX_BYTES = 100;

const delta = (more: Partial<AssignmentDelta>): AssignmentDelta => ({
  pods: [],
  removedPods: [],
  secrets: [],
  removedSecrets: [],
  configMaps: [],
  removedConfigMaps: [],
  peers: [],
  peersChanged: false,
  node: Buffer.alloc(0),
  ...more,
});

const bytes = (count: number) => Buffer.alloc(count);
const sizeOf = ({ pods, secrets, configMaps }: AssignmentDelta) =>
  Buffer.concat([...pods, ...secrets, ...configMaps]).length;

describe('partsOf', () => {
  it('cuts what is too large for one message, what pods use first', () => {
    const secrets = [bytes(60), bytes(30), bytes(50)];
    const pods = [bytes(40), bytes(20)];
    const parts = partsOf(delta({ secrets, pods }), MAX_BYTES);
    expect(parts.map(sizeOf)).toEqual([90, 90, 20]);
    expect(parts.flatMap((part) => part.secrets)).toEqual(secrets);
    expect(parts.map((part) => part.pods.length)).toEqual([0, 1, 1]);
  });

  it('gives an object that is too large a part of its own', () => {
    const parts = partsOf(delta({ pods: [bytes(10), bytes(500), bytes(10)] }), MAX_BYTES);
    expect(parts.map(sizeOf)).toEqual([10, 500, 10]);
  });

  it('says removals and peers once, in the first part', () => {
    const removedPods = [{ namespace: 'ns', name: 'p', uid: 'u' }];
    const whole = delta({ removedPods, peersChanged: true, pods: [bytes(90), bytes(90)] });
    const [first, second] = partsOf(whole, MAX_BYTES);
    expect(first).toMatchObject({ removedPods, peersChanged: true });
    expect(second).toMatchObject({ removedPods: [], peersChanged: false });
  });

  it('makes no part of nothing', () => {
    expect(partsOf(undefined, MAX_BYTES)).toEqual([]);
  });
});

describe('snapshotOf', () => {
  it('marks every part but the last', () => {
    const parts = partsOf(delta({ pods: [bytes(90), bytes(90), bytes(90)] }), MAX_BYTES);
    const messages = snapshotOf(parts).map(({ value }) => value);
    expect(messages).toMatchObject([{ partial: true }, { partial: true }, { partial: false }]);
  });

  it('is a message also for a node that has nothing', () => {
    expect(snapshotOf([])).toMatchObject([{ $case: 'snapshot', value: { partial: false } }]);
  });
});
