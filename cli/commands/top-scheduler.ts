import { apiVersionOf, SCHEDULING_DECISIONS } from '../../api/resources';
import { systemClock } from '../../lib/clock';
import type { CliContext } from '../context';
import { durationSeconds } from '../durations';
import { formatViews, outputFormat } from '../output/format';
import { samplesOf } from '../top/metrics-lines';
import { schedulerTable, schedulerUsage } from '../top/scheduler-usage';
import { unlessForbidden } from '../unless-forbidden';

export interface TopSchedulerOptions {
  readonly since?: string;
  readonly output?: string;
}

/** How the scheduler does: queues, rates, how long it takes, who refuses and why, and hot nodes. */
export const topScheduler = async (
  { client, terminal, signal }: CliContext,
  { since = '10m', output }: TopSchedulerOptions,
): Promise<void> => {
  const format = outputFormat(output);
  const seconds = durationSeconds('--since', since);
  const fromMs = systemClock.now() - seconds * 1000;
  const [metrics, { items }] = await Promise.all([
    unlessForbidden(client.http.text({ method: 'GET', path: '/metrics', signal })),
    client.list(SCHEDULING_DECISIONS, {}, signal),
  ]);
  const recent = items.filter(({ spec }) => Date.parse(spec.time) >= fromMs);
  const samples = metrics === undefined ? undefined : samplesOf(metrics.text);
  const usage = schedulerUsage(samples, recent, seconds);
  const document = {
    apiVersion: apiVersionOf(SCHEDULING_DECISIONS),
    kind: 'SchedulerUsage',
    metadata: { name: 'scheduler' },
    status: usage,
  };
  const table = (isWide: boolean) => schedulerTable(usage, { isWide });
  terminal.out.write(formatViews({ document, names: ['scheduler'], table }, format));
  if (metrics === undefined)
    terminal.err.write('Warning: this user may not read /metrics: queues and sums are missing\n');
};
