import { hasReason } from '../../api/errors';
import { NODES, PODS, pathOf } from '../../api/resources';
import { keyOf, type ObjectName, type Pod } from '../../api/types';
import { queryOf } from '../../client/rest-client';
import { systemClock } from '../../lib/clock';
import { stringifyJson } from '../../lib/json';
import { tellingOf, type ChangeOptions, type Telling } from '../changing';
import type { CliContext } from '../context';
import { DRY_RUN_NOTES } from '../dry-run';
import { durationMs } from '../durations';
import { select, type Selected } from '../selection';
import { UsageError } from '../usage-error';
import { FOR_EVER_MS, statesOf, withinTime } from '../waiting';
import { cordon, nodeArguments } from './cordon';
import { drainPlan, isOfGoingNamespace } from './drain-plan';

export interface DrainOptions extends ChangeOptions {
  readonly ignoreDaemonsets?: boolean;
  readonly force?: boolean;
  readonly deleteEmptydirData?: boolean;
  readonly gracePeriod?: string;
  readonly timeout?: string;
  readonly podSelector?: string;
}

/** Keeps new pods from nodes and evicts those that are there, one node after the other. */
export const drain = async (
  context: CliContext,
  names: readonly string[],
  options: DrainOptions,
): Promise<void> => {
  const request = requestOf(options);
  const { found, failure } = await select(context, nodeArguments(names), options);
  if (failure !== undefined) throw failure;
  const nodes = found.map(({ object }) => object.metadata.name);
  if (nodes.length === 0) {
    context.terminal.err.write('No resources found\n');
    return;
  }
  await cordon(context, nodes, { ...chosenDryRun(options) });
  const left: string[] = [];
  const failures: Error[] = [];
  for (const node of found) {
    try {
      await drainNode(context, node, options, request);
    } catch (error) {
      if (context.signal.aborted) throw error;
      left.push(node.object.metadata.name);
      failures.push(error as Error);
    }
  }
  if (failures.length > 0) throw pending(left, failures);
};

const chosenDryRun = ({ dryRun }: DrainOptions): ChangeOptions =>
  dryRun === undefined ? {} : { dryRun };

const pending = (nodes: readonly string[], failures: readonly Error[]): UsageError => {
  const reasons = failures.flatMap((error) =>
    error instanceof Refused ? error.reasons : [error.message],
  );
  const all = reasons.length === 1 ? reasons[0] : `[${reasons.join(', ')}]`;
  return new UsageError(
    `unable to drain node "${nodes[0] ?? ''}" due to error: ${all ?? ''}, continuing command...\n` +
      `There are pending nodes to be drained:\n${nodes.map((name) => ` ${name}\n`).join('')}` +
      reasons.join('\n'),
    { cause: failures[0] },
  );
};

/** A node's pods are not all of a kind that may be evicted without being asked for. */
class Refused extends Error {
  constructor(readonly reasons: readonly string[]) {
    super(reasons.join(', '));
  }
}

/** How pods are evicted. */
interface Request {
  readonly telling: Telling;
  readonly gracePeriodSeconds: number | undefined;
  readonly timeoutMs: number;
}

const requestOf = (options: DrainOptions): Request => {
  const { gracePeriod = '-1', timeout = '0' } = options;
  if (!/^-?\d{1,9}$/.test(gracePeriod)) {
    throw new UsageError(`--grace-period: "${gracePeriod}" is not a number of seconds`);
  }
  const seconds = Number(gracePeriod);
  return {
    telling: tellingOf(options),
    gracePeriodSeconds: seconds < 0 ? undefined : seconds,
    timeoutMs: durationMs('--timeout', timeout) || FOR_EVER_MS,
  };
};

const drainNode = async (
  context: CliContext,
  { object }: Selected,
  options: DrainOptions,
  request: Request,
): Promise<void> => {
  const { client, terminal, signal } = context;
  const { name } = object.metadata;
  const { items } = await client.list(
    PODS,
    {
      fieldSelector: `spec.nodeName=${name}`,
      ...(options.podSelector === undefined ? {} : { labelSelector: options.podSelector }),
    },
    signal,
  );
  const { evicted, warnings, refusals } = drainPlan(items, {
    ignoreDaemonsets: options.ignoreDaemonsets === true,
    force: options.force === true,
    deleteEmptydirData: options.deleteEmptydirData === true,
  });
  if (refusals.length > 0) throw new Refused(refusals);
  if (warnings.length > 0) terminal.err.write(`Warning: ${warnings.join('; ')}\n`);
  const note = DRY_RUN_NOTES[request.telling.dryRun];
  for (const pod of evicted) terminal.out.write(`evicting pod ${keyOf(pod)}${note}\n`);
  if (request.telling.dryRun !== 'client') {
    const what = `the pods of ${NODES.plural}/${name}`;
    await withinTime(context, request.timeoutMs, what, (inTime) =>
      Promise.all(evicted.map((pod) => evictPod(context, pod, request, inTime))),
    );
  }
  terminal.out.write(`node/${name} drained${note}\n`);
};

const evictPod = async (
  context: CliContext,
  pod: Pod,
  request: Request,
  signal: AbortSignal,
): Promise<void> => {
  const { namespace = '', name, uid } = pod.metadata;
  while (!(await isAccepted(context, pod, request, signal))) {
    await systemClock.sleep(RETRY_MS, signal);
    signal.throwIfAborted();
  }
  if (request.telling.dryRun !== 'none') return;
  for await (const state of statesOf(context, { info: PODS, namespace, name }, signal)) {
    if (state?.metadata.uid === uid) continue;
    context.terminal.out.write(`pod/${name} evicted\n`);
    return;
  }
  signal.throwIfAborted();
};

/** False when it has to wait, for the sake of a disruption budget or of its namespace's own deletion. */
const isAccepted = async (
  { client, terminal }: CliContext,
  { metadata: { namespace = '', name, uid = '' } }: Pod,
  { gracePeriodSeconds, telling: { dryRun } }: Request,
  signal: AbortSignal,
): Promise<boolean> => {
  const eviction = {
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { namespace, name },
    deleteOptions: gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds },
  };
  const query = queryOf({ dryRun: dryRun === 'server' ? 'All' : undefined });
  try {
    await client.json({
      method: 'POST',
      path: pathOf(PODS, namespace, name, 'eviction') + query,
      body: stringifyJson(eviction),
      signal,
    });
    return true;
  } catch (error) {
    if (hasReason(error, 'NotFound')) return true;
    const isOfNamespace = isOfGoingNamespace(error);
    if (!isOfNamespace && !hasReason(error, 'TooManyRequests')) throw error;
    // Whoever deletes the namespace deletes the pod: then there is nothing left to ask for.
    if (isOfNamespace && (await isGoing(client, { namespace, name, uid }, signal))) return true;
    terminal.err.write(
      `error when evicting pods/"${name}" -n "${namespace}" (will retry after ${RETRY_MS / 1000}s): ${error.message}\n`,
    );
    return false;
  }
};

/** Is the pod deleted, or marked for it? */
const isGoing = async (
  client: Pick<CliContext['client'], 'get'>,
  { uid, ...name }: ObjectName & { readonly uid: string },
  signal: AbortSignal,
): Promise<boolean> => {
  try {
    const { metadata } = await client.get(PODS, name, signal);
    return metadata.uid !== uid || metadata.deletionTimestamp !== undefined;
  } catch (error) {
    if (hasReason(error, 'NotFound')) return true;
    throw error;
  }
};

const RETRY_MS = 5000;
