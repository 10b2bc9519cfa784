import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { SCHEDULING_GROUP } from '../../api/decisions';
import type { SchedulerCapture } from '../../api/scheduler-captures';
import { writePrivate } from '../../lib/files';
import { stringifyJson } from '../../lib/json';
import type { CliContext } from '../context';
import { podOrWorkload } from '../targets';
import { UsageError } from '../usage-error';

export interface CaptureOptions {
  readonly last?: number;
  readonly outputFile: string;
}

/** Writes decisions, with all that they were taken by, to a file that any machine can replay. */
export const capture = async (
  context: CliContext,
  pod: string | undefined,
  { last, outputFile: file }: CaptureOptions,
): Promise<void> => {
  if (pod !== undefined && last !== undefined)
    throw new UsageError('name a pod, or say how many with --last');
  const { client, terminal, signal } = context;
  const chosen = pod === undefined ? {} : { pod: await podNamed(context, pod) };
  const captured = await client.json<SchedulerCapture>({
    method: 'POST',
    path: `/apis/${SCHEDULING_GROUP}/v1/schedulercaptures`,
    body: stringifyJson({
      ...{ apiVersion: `${SCHEDULING_GROUP}/v1`, kind: 'SchedulerCapture' },
      spec: { ...chosen, ...(last === undefined ? {} : { last }) },
    }),
    signal,
  });
  const packed = await promisify(gzip)(stringifyJson(captured));
  if (file === '-') {
    terminal.out.write(packed);
    return;
  }
  await written(file, packed);
  const { start, steps } = captured.status;
  const count = steps.filter(({ kind }) => kind === 'decision').length;
  const parts = [
    ...[`${count} decision${count === 1 ? '' : 's'}`, `${start.nodes.length} nodes`],
    `${start.placements.length} pods`,
  ];
  terminal.out.write(`${file}: ${parts.join(', ')}, ${packed.length} bytes\n`);
};

const podNamed = async (context: CliContext, arg: string) => {
  const name = await podOrWorkload(context, arg);
  if (typeof name !== 'string') throw new UsageError(`"${arg}" is no pod`);
  return { namespace: context.namespace ?? 'default', name };
};

/** It names nodes and pods of the whole cluster: for its owner alone. */
const written = async (file: string, bytes: Uint8Array): Promise<void> => {
  try {
    await writePrivate(file, bytes);
  } catch (error) {
    throw new UsageError(`--output-file ${file}: ${(error as Error).message}`);
  }
};
