import { join } from 'node:path';

import type { Log } from '../../lib/log';
import type { AgentConfig } from '../config';
import type { PodDeps } from '../containers/pod-deps';
import { AllocationStore } from '../inventory/allocation-store';
import { PodPaths } from '../inventory/pod-paths';
import { PodLogs, usableLogDir } from '../logs/pod-logs';

/** What the agent keeps of pods on disk. */
export const podStores = (
  { stateDir, runDir, logDir }: Pick<AgentConfig, 'stateDir' | 'runDir' | 'logDir'>,
  log: Log,
): Pick<PodDeps, 'paths' | 'logs' | 'allocations'> => {
  const paths = new PodPaths(stateDir, runDir, usableLogDir(logDir, log));
  const allocations = new AllocationStore(join(stateDir, 'allocations'), log);
  return { paths, logs: new PodLogs(paths, log), allocations };
};
