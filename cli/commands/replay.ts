import { readFile } from 'node:fs/promises';
import type { DecisionReplay } from '../../api/decision-replays';
import { SCHEDULING_GROUP } from '../../api/decisions';
import { stringifyJson } from '../../lib/json';
import type { CliContext } from '../context';
import { formatViews, outputFormat, type OutputFormat } from '../output/format';
import { printable, type Terminal } from '../output/terminal';
import { UsageError } from '../usage-error';
import { renderReplay } from '../why';

export interface ReplayOptions {
  readonly last?: number;
  readonly config?: string;
  readonly output?: string;
}

/**
 * How the last decisions come out when they are taken again, each in the state in which it was taken. The
 * exit code is 1 when one comes out differently.
 */
export const replay = async (
  { client, terminal, signal }: CliContext,
  { last = 100, config: file, output }: ReplayOptions,
): Promise<number> => {
  const format = outputFormat(output);
  const config = file === undefined ? {} : { config: await textOf(file) };
  const answer = await client.json<DecisionReplay>({
    method: 'POST',
    path: `/apis/${SCHEDULING_GROUP}/v1/decisionreplays`,
    body: stringifyJson({
      ...{ apiVersion: `${SCHEDULING_GROUP}/v1`, kind: 'DecisionReplay' },
      spec: { last, ...config },
    }),
    signal,
  });
  return tellReplay(answer, terminal, format);
};

/** The exit code is 1 when a decision comes out differently. */
export const tellReplay = (
  document: DecisionReplay,
  terminal: Terminal,
  format: OutputFormat,
): number => {
  const { status } = document;
  for (const warning of status.warnings) terminal.err.write(`Warning: ${printable(warning)}\n`);
  const style = { color: terminal.isInteractive, width: terminal.columns };
  const table = () => renderReplay(status, style);
  const names = status.differences.map(({ pod }) => `pod/${pod.slice(pod.indexOf('/') + 1)}`);
  terminal.out.write(formatViews({ document, names, table }, format));
  return status.same === status.replayed ? 0 : 1;
};

/** @throws UsageError */
export const textOf = async (file: string): Promise<string> => {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`--config ${file}: ${(error as Error).message}`);
  }
};
