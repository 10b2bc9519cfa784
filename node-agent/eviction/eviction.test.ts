import fc from 'fast-check';

import { testContainer, testPod } from '../pods/testing';
import { evictionMessage } from './message';
import { mostUrgent, NO_PRESSURE, nextPressure, pressuresOf, unmetBy } from './pressure';
import { rankForEviction, type PodUse } from './rank';
import {
  DEFAULT_EVICTION_HARD,
  parseThresholds,
  reservedByThresholds,
  type ThresholdConfig,
} from './thresholds';

const GI = 2 ** 30;
const MI = 2 ** 20;

const thresholdsOf = (config: Partial<ThresholdConfig>) =>
  parseThresholds({
    evictionHard: {},
    evictionSoft: {},
    evictionSoftGracePeriodMs: {},
    evictionMinimumReclaim: {},
    ...config,
  });

describe('thresholds', () => {
  it('are upstream’s, the one of memory also for what pods may have', () => {
    const all = thresholdsOf({ evictionHard: DEFAULT_EVICTION_HARD });
    expect(all.map(({ signal }) => signal)).toEqual([
      ...['memory.available', 'nodefs.available', 'nodefs.inodesFree'],
      ...['imagefs.available', 'imagefs.inodesFree', 'allocatableMemory.available'],
    ]);
    expect(reservedByThresholds(all, 'memory.available', 4 * GI)).toBe(100 * MI);
    expect(reservedByThresholds(all, 'nodefs.available', 1000)).toBe(100);
    expect(reservedByThresholds(all, 'pid.available', 1000)).toBe(0);
  });

  it.each<[string, Partial<ThresholdConfig>]>([
    ['unsupported eviction signal cpu.available', { evictionHard: { 'cpu.available': '1' } }],
    [
      'grace period must be specified for the soft eviction threshold memory.available',
      { evictionSoft: { 'memory.available': '1Gi' } },
    ],
    ['eviction threshold must be positive: -1', { evictionHard: { 'memory.available': '-1' } }],
    ['must be <= 100%: 101%', { evictionHard: { 'memory.available': '101%' } }],
    ['must be >= 0%: -1%', { evictionHard: { 'memory.available': '-1%' } }],
    ['quantities must match', { evictionHard: { 'memory.available': 'much' } }],
    ['not a percentage', { evictionHard: { 'memory.available': 'much%' } }],
  ])('says: %s', (problem, config) => {
    expect(() => thresholdsOf(config)).toThrow(problem);
  });

  it('are off at either end of the scale', () => {
    const evictionHard = { 'nodefs.available': '0%', 'imagefs.available': '100%' };
    expect(thresholdsOf({ evictionHard })).toEqual([]);
  });
});

describe('pressure', () => {
  const soft = {
    evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '10%' },
    evictionSoft: { 'memory.available': '1Gi' },
    evictionSoftGracePeriodMs: { 'memory.available': 30_000 },
    evictionMinimumReclaim: { 'memory.available': '500Mi' },
  };
  const thresholds = thresholdsOf(soft);
  const seen = (memory: number, disk = 100) => ({
    'memory.available': { available: memory, capacity: 8 * GI },
    'nodefs.available': { available: disk, capacity: 100 },
  });
  const at = (nowMs: number) => ({ nowMs, transitionMs: 300_000 });

  it('is told at once, and acted on when the grace of a soft threshold is over', () => {
    const first = nextPressure(NO_PRESSURE, thresholds, seen(0.9 * GI), at(0));
    expect([...pressuresOf(first)]).toEqual(['MemoryPressure']);
    expect(mostUrgent(first)).toBeUndefined();
    const relieved = nextPressure(first, thresholds, seen(2 * GI), at(29_000));
    const again = nextPressure(relieved, thresholds, seen(0.9 * GI), at(30_000));
    expect(mostUrgent(again)).toBeUndefined();
    const met = nextPressure(again, thresholds, seen(0.9 * GI), at(60_000));
    expect(mostUrgent(met)).toMatchObject({ signal: 'memory.available', graceMs: 30_000 });
  });

  it('stays until what is to be reclaimed is there', () => {
    const met = nextPressure(NO_PRESSURE, thresholds, seen(90 * MI), at(0));
    const between = nextPressure(met, thresholds, seen(550 * MI), at(1));
    expect(mostUrgent(between)?.graceMs).toBeUndefined();
    expect(between.met.length).toBe(1);
    expect(nextPressure(between, thresholds, seen(601 * MI), at(2)).met).toEqual([]);
  });

  it('lasts for the transition period after it was seen last', () => {
    const met = nextPressure(NO_PRESSURE, thresholds, seen(8 * GI, 5), at(0));
    expect(mostUrgent(met)?.signal).toBe('nodefs.available');
    const later = nextPressure(met, thresholds, seen(8 * GI), at(299_999));
    expect([...pressuresOf(later)]).toEqual(['DiskPressure']);
    expect([...pressuresOf(nextPressure(later, thresholds, seen(8 * GI), at(300_000)))]).toEqual(
      [],
    );
  });

  it('of memory comes before all else, and nothing follows from what cannot be read', () => {
    const both = nextPressure(NO_PRESSURE, thresholds, seen(1, 1), at(0));
    expect(mostUrgent(both)?.signal).toBe('memory.available');
    expect(nextPressure(NO_PRESSURE, thresholds, {}, at(0)).met).toEqual([]);
  });

  it('acts on nothing that is not short, and on no soft threshold early', () => {
    const amount = fc.integer({ min: 0, max: 2 * GI });
    const steps = fc.array(fc.tuple(amount, fc.integer({ min: 1, max: 40_000 })), {
      minLength: 1,
      maxLength: 20,
    });
    fc.assert(
      fc.property(steps, (looks) => {
        let state = NO_PRESSURE;
        let nowMs = 0;
        let shortSinceMs: number | undefined;
        for (const [memory, passMs] of looks) {
          nowMs += passMs;
          state = nextPressure(state, thresholds, seen(memory), at(nowMs));
          const isShort = memory < 1.5 * GI;
          shortSinceMs = isShort ? (shortSinceMs ?? nowMs) : undefined;
          const urgent = mostUrgent(state);
          if (memory < 100 * MI) expect(urgent).toBeDefined();
          if (!isShort) expect(urgent).toBeUndefined();
          for (const { graceMs = 0 } of state.met)
            expect(nowMs - (shortSinceMs ?? Infinity)).toBeGreaterThanOrEqual(graceMs);
          if (unmetBy(seen(memory), thresholds, false).length > 0)
            expect(pressuresOf(state).has('MemoryPressure')).toBe(true);
        }
      }),
    );
  });
});

describe('the order of eviction', () => {
  const useOf = (
    name: string,
    used: number | undefined,
    { request, priority = 0 }: { readonly request?: string; readonly priority?: number } = {},
  ): PodUse => ({
    pod: testPod({
      metadata: { name },
      spec: {
        priority,
        containers: [
          testContainer(
            request === undefined ? {} : { resources: { requests: { memory: request } } },
          ),
        ],
      },
    }),
    used,
    containers: [{ name: 'web', used }],
  });
  const names = (uses: readonly PodUse[]) => uses.map(({ pod }) => pod.metadata.name);

  it('is: beyond its requests, then unimportant, then furthest beyond', () => {
    const uses = [
      useOf('within', 900 * MI, { request: '1Gi' }),
      useOf('important', 2 * GI, { priority: 100 }),
      useOf('little', 10 * MI),
      useOf('much', 200 * MI, { request: '100Mi' }),
      useOf('unknown', undefined),
    ];
    expect(names(rankForEviction(uses, 'memory'))).toEqual([
      ...['unknown', 'much', 'little', 'important', 'within'],
    ]);
  });

  it('is for processes: unimportant, then many', () => {
    const uses = [useOf('few', 3), useOf('many', 30), useOf('least', 1, { priority: -1 })];
    expect(names(rankForEviction(uses, 'pids'))).toEqual(['least', 'many', 'few']);
  });

  it('is total: every order of the same pods gives the same one', () => {
    const use = fc.record({
      used: fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined }),
      priority: fc.integer({ min: -1, max: 1 }),
      request: fc.constantFrom('0', '2', '4'),
    });
    fc.assert(
      fc.property(
        fc.array(use, { maxLength: 8 }),
        fc.constantFrom('memory', 'pids'),
        (all, resource) => {
          const uses = all.map((each, i) => useOf(`p${i}`, each.used, each));
          const ranked = rankForEviction(uses, resource);
          const again = rankForEviction([...uses].reverse(), resource);
          const over = ({ used = Infinity, pod }: PodUse) =>
            used - Number(pod.spec.containers[0]?.resources?.requests?.['memory'] ?? 0);
          if (resource === 'memory') {
            expect(again.map(over)).toEqual(ranked.map(over));
            const exceeds = ranked.map((each) => over(each) > 0);
            expect(exceeds.lastIndexOf(true)).toBeLessThan(
              exceeds.includes(false) ? exceeds.indexOf(false) : exceeds.length,
            );
          }
          expect([...names(ranked)].sort()).toEqual(names(uses));
        },
      ),
    );
  });

  it('is told with who took how much of what', () => {
    const thresholds = thresholdsOf({ evictionHard: { 'memory.available': '750Mi' } });
    const observations = {
      'memory.available': { available: 225_800 * 1024, capacity: 8 * GI },
      'nodefs.available': { available: 15, capacity: 1000 },
      'nodefs.inodesFree': { available: 12_000, capacity: 1_000_000 },
    };
    expect(
      evictionMessage('memory', useOf('nginx', 4_395_616 * 1024), thresholds, observations),
    ).toBe(
      'The node was low on resource: memory. Threshold quantity: 750Mi, available: 225800Ki. ' +
        'Container web was using 4395616Ki, request is 0, has larger consumption of memory. ',
    );
    const within = useOf('p', 10, { request: '128M' });
    const disks = thresholdsOf({
      evictionHard: { 'nodefs.available': '10%', 'nodefs.inodesFree': '5%' },
    });
    expect(evictionMessage('memory', within, [], observations)).toBe(
      'The node was low on resource: memory. ',
    );
    expect(evictionMessage('ephemeral-storage', useOf('p', 2048), disks, observations)).toBe(
      'The node was low on resource: ephemeral-storage. Threshold quantity: 100, available: 15. ' +
        'Container web was using 2Ki, request is 0, has larger consumption of ephemeral-storage. ',
    );
    expect(evictionMessage('inodes', within, disks, observations)).toBe(
      'The node was low on resource: inodes. Threshold quantity: 50000, available: 12k. ',
    );
  });
});
