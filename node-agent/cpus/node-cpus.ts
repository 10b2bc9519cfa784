import { join } from 'node:path';

import { amountsOf } from '../../api/pods';
import { describeError, type Log } from '../../lib/log';
import type { ContainerRuntime } from '../../runtime/container-runtime';
import type { AgentConfig } from '../config';
import { formatCpuList, parseCpuList, type CpuList } from './cpu-list';
import { CpuStore } from './cpu-store';
import { reserveCpus } from './plan';
import { ANY_CPUS, type CpuManager } from './pod-cpus';
import { StaticCpus } from './static-cpus';
import { readTopology, type CpuTopology } from './topology';

interface NodeCpusDeps {
  readonly config: Pick<
    AgentConfig,
    'stateDir' | 'cpuManagerPolicy' | 'reservedCpus' | 'systemReserved' | 'kubeReserved'
  >;
  readonly runtime: ContainerRuntime;
  /** Default: this machine's. */
  readonly topology?: CpuTopology;
  readonly hasGivenUp: (podUid: string) => boolean;
  readonly log: Log;
}

/** @throws Error when this machine has not what is to be reserved */
export const createCpuManager = (deps: NodeCpusDeps): CpuManager => {
  const { config, runtime, hasGivenUp, log } = deps;
  const store = new CpuStore(join(config.stateDir, STATE_FILE), log);
  if (config.cpuManagerPolicy === 'static') {
    const topology = deps.topology ?? readTopology();
    const reserved = reservedOf(config, topology);
    return new StaticCpus({ topology, reserved, store, runtime, hasGivenUp, log });
  }
  if (store.read() !== undefined) void freeAll(deps, store);
  return ANY_CPUS;
};

const reservedOf = (config: NodeCpusDeps['config'], topology: CpuTopology): CpuList => {
  const all = topology.map(({ id }) => id);
  const named = parseCpuList(config.reservedCpus);
  if (named.some((cpu) => !all.includes(cpu)))
    throw new Error(
      `reserved cpus "${formatCpuList(named)}" are not all among the available "${formatCpuList(all)}"`,
    );
  if (named.length > 0) return named;
  const { systemReserved, kubeReserved } = config;
  const cpuMillis = amountsOf(systemReserved).cpuMillis + amountsOf(kubeReserved).cpuMillis;
  const reserved = reserveCpus(topology, cpuMillis);
  if (reserved !== undefined) return reserved;
  const wanted = Math.ceil(cpuMillis / 1000);
  throw new Error(
    '[cpumanager] unable to reserve the required amount of CPUs ' +
      `(size of ${formatCpuList(all)} did not equal ${wanted})`,
  );
};

/** An agent before this one had the other policy: what runs may run anywhere again. */
const freeAll = async (
  { runtime, topology = readTopology(), log }: NodeCpusDeps,
  store: CpuStore,
): Promise<void> => {
  const cpus = formatCpuList(topology.map(({ id }) => id));
  for (const { id, status } of runtime.containers()) {
    if (status === 'exited') continue;
    try {
      await runtime.updateResources(id, { cpus });
    } catch (error) {
      log.warn({ container: id, err: describeError(error) }, 'a container keeps its processors');
    }
  }
  store.remove();
};

/** The kubelet's name for it. */
const STATE_FILE = 'cpu_manager_state';
