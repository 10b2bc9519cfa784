import type { IsolationReport } from '../../api/isolation';
import type { Pod } from '../../api/types';
import type { ContainerRuntime } from '../../runtime/container-runtime';
import type { ProcessIsolation } from '../../runtime/inspection';
import { sandboxIdOf } from '../inventory/labels';
import { observePod } from '../inventory/observe';

export type Inspect = (pid: number) => ProcessIsolation | undefined;

/** The containers of a pod that run, in the order of its manifest. */
export const isolationOf = (
  pod: Pod,
  runtime: Pick<ContainerRuntime, 'containers' | 'container'>,
  inspect: Inspect,
): IsolationReport => {
  const states = runtime.containers(sandboxIdOf(pod.metadata.uid ?? ''));
  const containers = [...observePod(pod, states)].flatMap(([name, { current }]) => {
    const id = current?.id ?? '';
    const pid = pidOf(runtime, id);
    const facts = pid === undefined ? undefined : inspect(pid);
    // What has ended meanwhile may have left its number to another.
    return pid === undefined || facts === undefined || pidOf(runtime, id) !== pid
      ? []
      : [{ name, pid, ...facts }];
  });
  return { containers };
};

const pidOf = (runtime: Pick<ContainerRuntime, 'container'>, id: string): number | undefined => {
  const state = runtime.container(id);
  return state?.status === 'running' ? state.pid : undefined;
};
