import { DEPLOYMENTS, NAMESPACES } from '../../../api/resources';
import { World } from '../world';
import { Day } from './day';
import { FAULTS, mend, NODE_COUNT } from './faults';
import { remains, unsettled } from './settled';
import { cordon, make, nodesOf, rollWeb, tried, USERS, type Act } from './users';
import {
  BUDGET_UNAVAILABLE,
  isOfPeople,
  openShop,
  place,
  QUOTA_PODS,
  WEB_REPLICAS,
  type Shape,
} from './workloads';

export interface LifeOptions {
  readonly seed: number;
  readonly directory: string;
  /** Names of what does not happen on this day. */
  readonly without?: ReadonlySet<string>;
}

/**
 * A day of all workloads together: users, faults and what mends them, round by round. Whatever happens,
 * the rules of `Day` and `Ledger` hold at each step; after each calm the cluster is as people asked;
 * at last everything is deleted, and nothing is left.
 * @throws Error what went wrong first
 */
export const liveADay = async ({ seed, directory, without }: LifeOptions): Promise<void> => {
  const shape = shapeOf(seed);
  await using world = await World.start(seed, directory, NODE_COUNT, shape);
  // Two hours before the clocks of New York are set: in spring or in autumn.
  world.clock.setBy(Date.parse(DAYS[seed % DAYS.length]!) - world.clock.now());
  const day = new Day(world, shape);
  let isCalm = false;
  world.endingOf = ({ spec }) => {
    if (spec.restartPolicy !== 'Never' || world.random.next() < 0.7) return undefined;
    return !isCalm && world.random.next() < 0.15 ? 'Failed' : 'Succeeded';
  };
  await openShop(world, shape);
  await day.pass(20_000, 250);
  for (let round = 1; round <= ROUNDS; round++) {
    const startMs = world.clock.monotonicMs();
    await storm(day, without ?? new Set());
    await mend(day);
    await day.pass(MINUTE_MS, STRIDE_MS);
    isCalm = round % CALM_EVERY === 0;
    if (isCalm) await calm(day);
    if (isCalm) await drill(day);
    // Nothing is at work for the rest of these hours, as if the machines slept: the clock alone goes on.
    world.clock.setBy(ROUND_MS - (world.clock.monotonicMs() - startMs));
  }
  isCalm = true;
  await closeShop(day);
};

/** What each seed has of its own, beside chance. */
const shapeOf = (seed: number): Shape => ({
  hasAgents: seed % 4 === 0,
  isOrdered: seed % 2 === 1,
  daemonSurges: seed % 3 === 0,
  keepsClaims: seed % 5 > 1,
});

/** A few things after each other, each soon after the one before. */
const storm = async (day: Day, without: ReadonlySet<string>): Promise<void> => {
  const acts = (from: Readonly<Record<string, Act>>) =>
    Object.entries(from)
      .filter(([name]) => !without.has(name))
      .map(([, act]) => act);
  for (let count = 3 + day.pick(5); count > 0; count--) {
    await day.oneOf(acts(day.pick(3) === 0 ? FAULTS : USERS))?.(day);
    await day.pass((2 + day.pick(30)) * 250, 250);
    await day.pass(day.pick(3) * STRIDE_MS, STRIDE_MS);
  }
};

/** Users undo what keeps things from being as they asked; then they are. */
const calm = async (day: Day): Promise<void> => {
  const { client } = day.world;
  for (const name of nodesOf(day)) await cordon(day, name, false);
  for (const name of Object.keys(day.workloads)) await make(day, name);
  const web = { replicas: WEB_REPLICAS, paused: false };
  await client.patch(DEPLOYMENTS, place('web'), 'merge', { spec: web });
  const hard = { pods: String(QUOTA_PODS) };
  const { quota } = day.workloads;
  await client.patch(quota!.resource, place('quota'), 'merge', { spec: { hard } });
  await settle(day, () => unsettled(day));
};

/**
 * Nothing befalls the pods, so that all which are missing are missing by our own hand: a rollout or
 * evictions take no more away than may be, whatever befalls the servers.
 */
const drill = async (day: Day): Promise<void> => {
  day.webFloor = WEB_REPLICAS - BUDGET_UNAVAILABLE;
  const isRollout = day.pick(2) === 0;
  const node = day.oneOf(nodesOf(day));
  if (isRollout) await rollWeb(day);
  else if (node !== undefined) {
    await cordon(day, node, true);
    day.draining.add(node);
  }
  for (let part = 0; part < 4; part++) {
    await day.oneOf(OF_SERVERS)?.(day);
    await day.pass(4_000 + day.pick(20) * 250, 250);
    await mend(day);
  }
  day.draining.clear();
  if (!isRollout) await cordon(day, node, false);
  await day.pass(30_000, 500);
  day.webFloor = 0;
};

const closeShop = async (day: Day): Promise<void> => {
  const { client } = day.world;
  for (const { resource, draft } of Object.values(day.workloads)) {
    const propagationPolicy = day.oneOf(['Background', 'Foreground'] as const) ?? 'Background';
    const { name = '' } = draft.metadata;
    await tried(client.delete(resource, place(name), { propagationPolicy }));
    await day.pass(day.pick(8) * 250, 250);
  }
  // Whoever made an annex may have been refused, or not heard, when it was to go.
  for (const { metadata } of day.world.store.current('namespaces'))
    if (isOfPeople(metadata.name))
      await tried(client.delete(NAMESPACES, { namespace: '', name: metadata.name }));
  await settle(day, () => remains(day));
};

/** Waits until nothing is wrong any more. @throws Error what still is, after longer than anything takes */
const settle = async (day: Day, wrong: () => readonly string[]): Promise<void> => {
  await day.pass(10_000, 250);
  for (let passed = 0; passed < SETTLE_MS && wrong().length > 0; passed += 3 * STRIDE_MS)
    await day.pass(3 * STRIDE_MS, STRIDE_MS);
  const found = wrong();
  if (found.length > 0) throw new Error(found.join('\n'));
};

/** What befalls servers alone. */
const OF_SERVERS = ['badStore', 'lostCalls', 'killServer', 'killControllers'].map(
  (name) => FAULTS[name]!,
);
const DAYS = ['2030-03-10T05:00:00Z', '2030-11-03T04:00:00Z'];
/** A day of three hours each. */
const ROUNDS = 8;
const ROUND_MS = 3 * 3_600_000;
const CALM_EVERY = 4;
const MINUTE_MS = 60_000;
const STRIDE_MS = 10_000;
/** More than every back-off, grace and stabilization together. */
const SETTLE_MS = 25 * MINUTE_MS;
