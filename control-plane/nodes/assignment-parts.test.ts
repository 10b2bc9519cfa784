import type { Changes } from '../../proto/gen/dhow/agent/v1/agent';
import { partsOf, snapshotOf } from './assignment-parts';

const MAX_BYTES = 100;

const rowsOf = (...sizes: readonly number[]): Changes['rows'] =>
  sizes.map((size, index) => ({
    resource: 'pods',
    key: String(index),
    version: '',
    json: Buffer.alloc(size),
  }));
const sizesOf = ({ rows }: Changes) => rows.map(({ json }) => json.length);

describe('partsOf', () => {
  it('cuts what is too large for one message, and keeps the order', () => {
    const parts = partsOf({ rows: rowsOf(60, 30, 50, 40, 20), removed: [] }, MAX_BYTES);
    expect(parts.map(sizesOf)).toEqual([[60, 30], [50, 40], [20]]);
  });

  it('gives an object that is too large a part of its own', () => {
    const parts = partsOf({ rows: rowsOf(10, 500, 10), removed: [] }, MAX_BYTES);
    expect(parts.map(sizesOf)).toEqual([[10], [500], [10]]);
  });

  it('says removals once, in the first part', () => {
    const removed = [{ resource: 'pods', key: 'u' }];
    const [first, second] = partsOf({ rows: rowsOf(90, 90), removed }, MAX_BYTES);
    expect([first?.removed, second?.removed]).toEqual([removed, []]);
  });

  it('makes no part of nothing', () => {
    expect(partsOf({ rows: [], removed: [] }, MAX_BYTES)).toEqual([]);
  });
});

describe('snapshotOf', () => {
  it('marks every part but the last', () => {
    const parts = partsOf({ rows: rowsOf(90, 90, 90), removed: [] }, MAX_BYTES);
    const messages = snapshotOf(parts).map(({ value }) => value);
    expect(messages).toMatchObject([{ partial: true }, { partial: true }, { partial: false }]);
  });

  it('is a message also for a node that has nothing', () => {
    expect(snapshotOf([])).toMatchObject([{ $case: 'snapshot', value: { partial: false } }]);
  });
});
