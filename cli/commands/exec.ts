import { isPodReady } from '../../api/pods';
import type { CliContext } from '../context';
import { ownStreams, runInPod, terminalFor } from '../pod-stream';
import { podName } from '../targets';
import { UsageError } from '../usage-error';
import { defaultContainer } from './logs';

export interface ExecOptions {
  readonly container?: string;
  readonly stdin?: boolean;
  readonly tty?: boolean;
  readonly quiet?: boolean;
}

/** Runs a command in a container; resolves with its exit code. */
export const exec = async (
  context: CliContext,
  pod: string,
  command: readonly string[],
  options: ExecOptions,
): Promise<number> => {
  if (command.length === 0) throw new UsageError('you must specify a command to run after --');
  if (!process.argv.includes('--')) {
    throw new UsageError(`put -- before the command: dhow exec ${pod} -- ${command.join(' ')}`);
  }
  const name = await podName(context, pod, isPodReady);
  const container = options.container ?? (await defaultContainer(context, name, options.quiet));
  const isTty = terminalFor(context, options.tty === true);
  const streams = ownStreams(context, { hasStdin: options.stdin === true, isTty });
  const code = await runInPod(context, { pod: name, container, command }, streams);
  if (code !== 0 && !context.signal.aborted) {
    context.terminal.err.write(`command terminated with exit code ${code}\n`);
  }
  return code;
};
