import { systemClock, type Clock } from '../../lib/clock';
import { describeError } from '../../lib/describe-error';
import { createLog, type Log } from '../../lib/log';
import { startTimeOf } from '../../lib/process-identity';
import { Companion, type Service } from './companion';

interface Program<Settings> {
  readonly name: string;
  readonly resources: readonly string[];
  readonly drainMs: number;
  readonly create: (
    args: readonly string[],
    deps: { readonly clock: Clock; readonly log: Log },
  ) => Service<Settings> | Promise<Service<Settings>>;
}

/** A companion as a program of its own: `PROGRAM FOLDER VERSION ARGS...`. Ends the process. */
export const runCompanion = async <Settings>({
  name,
  create,
  ...options
}: Program<Settings>): Promise<never> => {
  const [, , directory = '', version = '', ...args] = process.argv;
  const log = createLog('info', { program: name });
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
  // The session of whoever started it may end before it does.
  process.on('SIGHUP', () => undefined);
  const identity = { pid: process.pid, startTime: (await startTimeOf(process.pid)) ?? '' };
  const shared = { clock: systemClock, log };
  try {
    const service = await create(args, shared);
    const deps = { ...options, service, directory, identity, version, ...shared };
    await new Companion(deps).run(stop.signal);
  } catch (error) {
    log.error({ err: describeError(error) }, 'companion failed');
    process.exitCode = 1;
  }
  process.exit();
};
