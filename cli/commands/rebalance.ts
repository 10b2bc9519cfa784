import { createInterface } from 'node:readline/promises';
import { SCHEDULING_GROUP } from '../../api/decisions';
import type { RebalancePlan, RebalancePlanSpec } from '../../api/rebalance-plans';
import { stringifyJson } from '../../lib/json';
import type { CliContext } from '../context';
import { durationMs } from '../durations';
import { formatViews, outputFormat } from '../output/format';
import { UsageError } from '../usage-error';
import { renderRebalance } from '../why';
import { carryOut } from './rebalance-moves';

export interface RebalanceOptions {
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly maxMoves?: number;
  readonly minGain?: number;
  readonly threshold?: number;
  readonly deleteEmptydirData?: boolean;
  readonly timeout?: string;
  readonly output?: string;
}

/**
 * Shows which pods would be better off on other nodes, and with leave evicts them, batch after batch. The exit
 * code is 1 when leave is not given.
 */
export const rebalance = async (
  context: CliContext,
  options: RebalanceOptions,
): Promise<number> => {
  const { terminal } = context;
  const format = outputFormat(options.output);
  const timeoutMs = durationMs('--timeout', options.timeout ?? '5m');
  if (timeoutMs <= 0) throw new UsageError('--timeout: it must be above zero');
  const isPreview = options.dryRun === true;
  if (isPreview && options.yes === true)
    throw new UsageError('--dry-run and --yes: one of them only');
  if (!isPreview && options.output !== undefined)
    throw new UsageError('-o is for previews: say --dry-run');
  if (!isPreview && options.yes !== true && !canAsk(context))
    throw new UsageError('pods would be evicted: see which with --dry-run, and say --yes to do it');
  const ask = () => planOf(context, specOf(options));
  const plan = await ask();
  const style = { color: terminal.isInteractive, width: terminal.columns };
  const table = () => renderRebalance(plan.status, style);
  const names = plan.status.moves.map(({ pod }) => `pod/${pod.slice(pod.indexOf('/') + 1)}`);
  terminal.out.write(formatViews({ document: plan, names, table }, format));
  if (isPreview || plan.status.moves.length === 0) return 0;
  if (options.yes !== true && !(await isAgreed(context))) return 1;
  await carryOut(context, plan.status, { ask: async () => (await ask()).status, timeoutMs });
  return 0;
};

const specOf = (options: RebalanceOptions): RebalancePlanSpec => ({
  ...(options.maxMoves === undefined ? {} : { maxMoves: options.maxMoves }),
  ...(options.minGain === undefined ? {} : { minGainPercent: options.minGain }),
  ...(options.threshold === undefined ? {} : { highPercent: options.threshold }),
  ...(options.deleteEmptydirData === true ? { movesLocalData: true } : {}),
});

const planOf = ({ client, signal }: CliContext, spec: RebalancePlanSpec): Promise<RebalancePlan> =>
  client.json<RebalancePlan>({
    method: 'POST',
    path: `/apis/${SCHEDULING_GROUP}/v1/rebalanceplans`,
    body: stringifyJson({ apiVersion: `${SCHEDULING_GROUP}/v1`, kind: 'RebalancePlan', spec }),
    signal,
  });

const canAsk = ({ terminal }: CliContext): boolean => terminal.isInteractive && process.stdin.isTTY;

const isAgreed = async ({ terminal, signal }: CliContext): Promise<boolean> => {
  const lines = createInterface({ input: process.stdin, output: terminal.err });
  try {
    const answer = await lines.question('Evict these pods? [y/N] ', { signal });
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    lines.close();
  }
};
