import { hasReason } from '../../api/errors';
import { controllerOf } from '../../api/owners';
import { isPodReady, isTerminating } from '../../api/pods';
import type { PlannedMove, RebalancePlanStatus } from '../../api/rebalance-plans';
import { POD_DISRUPTION_BUDGETS, PODS, pathOf } from '../../api/resources';
import { keyOf, type Pod } from '../../api/types';
import { systemClock } from '../../lib/clock';
import { stringifyJson } from '../../lib/json';
import type { CliContext } from '../context';
import { printable } from '../output/terminal';
import { UsageError } from '../usage-error';
import { changesOf, statesOf, withinTime } from '../waiting';

export interface CarryOutOptions {
  /** The plan as it would be now. */
  readonly ask: () => Promise<RebalancePlanStatus>;
  /** For each pod: until it may be evicted, and what takes its place is ready. */
  readonly timeoutMs: number;
}

/**
 * Evicts the pods of the plan, one batch at a time, and waits for what takes their place. Before each batch but
 * the first it is asked anew: only pods of the plan that was agreed to are evicted, and only while that is
 * still worth it. @throws UsageError at the first that is not ready in time
 */
export const carryOut = async (
  context: CliContext,
  agreed: RebalancePlanStatus,
  { ask, timeoutMs }: CarryOutOptions,
): Promise<void> => {
  const open = new Map(agreed.moves.map((move) => [move.uid, move]));
  let batch = nextBatch(agreed, open);
  while (batch.length > 0) {
    for (const { uid } of batch) open.delete(uid);
    const ends = await Promise.allSettled(batch.map((move) => makeMove(context, move, timeoutMs)));
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    batch =
      open.size === 0
        ? []
        : await withinTime(context, timeoutMs, 'the disruption budgets', (signal) =>
            allowedBatch(context, open, ask, signal),
          );
  }
  const done = agreed.moves.length - open.size;
  const left = open.size === 0 ? '' : `; ${open.size} not worth it any more`;
  context.terminal.out.write(`${done} of ${agreed.moves.length} moved${left}\n`);
};

/** Pure: the moves of the first batch that has any which were agreed to. */
export const nextBatch = (
  { moves }: RebalancePlanStatus,
  open: Pick<ReadonlySet<string>, 'has'>,
): readonly PlannedMove[] => {
  const agreed = moves.filter(({ uid }) => open.has(uid));
  return agreed.filter(({ batch }) => batch === agreed[0]?.batch);
};

/** The next batch. A budget may have yet to count what has just become ready: that is waited for. */
const allowedBatch = async (
  context: CliContext,
  open: ReadonlyMap<string, PlannedMove>,
  ask: CarryOutOptions['ask'],
  signal: AbortSignal,
): Promise<readonly PlannedMove[]> => {
  // The scheduler hears of a budget a little later: when it allows some, it is asked once more.
  for (let freeCount = 0; ;) {
    const plan = await ask();
    const batch = nextBatch(plan, open);
    const isKept = plan.notMoved.some(({ reason }) => reason === 'BudgetAllowsNone');
    if (batch.length > 0 || !isKept) return batch;
    freeCount = (await isHeld(context, open, signal)) ? 0 : freeCount + 1;
    if (freeCount > 1) return batch;
    await systemClock.sleep(RETRY_MS, signal);
    signal.throwIfAborted();
  }
};

/** Does a budget over any of these allow none now? */
const isHeld = async (
  { client }: CliContext,
  open: ReadonlyMap<string, PlannedMove>,
  signal: AbortSignal,
): Promise<boolean> => {
  const keys = new Set([...open.values()].flatMap(({ budget }) => budget ?? []));
  for (const key of keys) {
    const [namespace = '', name = ''] = key.split('/');
    const options = { namespace, fieldSelector: `metadata.name=${name}` };
    const { items } = await client.list(POD_DISRUPTION_BUDGETS, options, signal);
    if (items.some(({ status }) => (status?.disruptionsAllowed ?? 0) < 1)) return true;
  }
  return false;
};

const makeMove = async (
  context: CliContext,
  move: PlannedMove,
  timeoutMs: number,
): Promise<void> => {
  const { terminal } = context;
  const [namespace = '', name = ''] = move.pod.split('/');
  const what = `what takes the place of pods/${name}`;
  const replacement = await withinTime(context, timeoutMs, what, async (signal) => {
    const replacement = await replaced(context, move, signal);
    await gone(context, { namespace, name, uid: move.uid }, signal);
    return replacement;
  });
  const { nodeName = '' } = replacement.spec;
  const besides = nodeName === move.to ? '' : `, planned was ${move.to}`;
  const line = `pod ${move.pod} on ${move.from} -> ${keyOf(replacement)} on ${nodeName}${besides}`;
  terminal.out.write(`${printable(line)}\n`);
};

/** Evicts the pod. Resolves with the one that its owner has made in its stead, once that is ready. */
const replaced = async (
  context: CliContext,
  { pod: key, uid }: PlannedMove,
  signal: AbortSignal,
): Promise<Pod> => {
  const [namespace = '', name = ''] = key.split('/');
  const { items, resourceVersion } = await context.client.list(PODS, { namespace }, signal);
  const pod = items.find(({ metadata }) => metadata.uid === uid);
  const owner = pod === undefined ? undefined : controllerOf(pod);
  if (owner === undefined) throw new UsageError(`pod ${key} is gone: run it again`);
  await evict(context, { namespace, name, uid }, signal);
  const known = new Set(items.map(({ metadata }) => metadata.uid));
  const isNext = (each: Pod) =>
    !known.has(each.metadata.uid) &&
    controllerOf(each)?.uid === owner.uid &&
    !isTerminating(each) &&
    isPodReady(each);
  const changes = changesOf({ ...context, signal }, PODS, { namespace, resourceVersion });
  for await (const { type, object } of changes)
    if (type !== 'DELETED' && isNext(object)) return object;
  throw signal.reason;
};

/** Its room is free only then. */
const gone = async (
  context: CliContext,
  { uid, ...place }: EvictedPod,
  signal: AbortSignal,
): Promise<void> => {
  for await (const state of statesOf(context, { info: PODS, ...place }, signal))
    if (state?.metadata.uid !== uid) return;
  throw signal.reason;
};

interface EvictedPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** Asks until the budgets allow it. @throws Conflict for another pod of that name */
const evict = async (
  { client }: CliContext,
  { namespace, name, uid }: EvictedPod,
  signal: AbortSignal,
): Promise<void> => {
  const body = stringifyJson({
    ...{ apiVersion: 'policy/v1', kind: 'Eviction', metadata: { namespace, name } },
    deleteOptions: { preconditions: { uid } },
  });
  const path = pathOf(PODS, namespace, name, 'eviction');
  for (;;) {
    try {
      await client.json({ method: 'POST', path, body, signal });
      return;
    } catch (error) {
      if (!hasReason(error, 'TooManyRequests')) throw error;
      await systemClock.sleep(RETRY_MS, signal);
      signal.throwIfAborted();
    }
  }
};

const RETRY_MS = 1_000;
