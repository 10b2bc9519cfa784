import { createLog } from '../../lib/log';
import { systemClock } from '../../lib/clock';
import { startTimeOf } from '../../lib/process-identity';
import { describeError } from '../../lib/describe-error';
import { Resolver } from './control/resolver';

/** The program of a node's resolver: `dns-resolver FOLDER VERSION PORT`. */
const main = async (): Promise<void> => {
  const [, , directory = '', version = '', port = ''] = process.argv;
  const log = createLog('info', { program: 'dns-resolver' });
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
  // The session of whoever started it may end before it does.
  process.on('SIGHUP', () => undefined);
  const identity = { pid: process.pid, startTime: (await startTimeOf(process.pid)) ?? '' };
  const deps = { directory, identity, version, port: Number(port), clock: systemClock, log };
  try {
    await new Resolver(deps).run(stop.signal);
  } catch (error) {
    log.error({ err: describeError(error) }, 'resolver failed');
    process.exitCode = 1;
  }
  process.exit();
};

void main();
