import type { Container, Pod } from '../../api/types';
import { fieldPathOf } from '../images/image-puller';
import type { ProbeKind, ProbeListener } from '../probes/probe-runner';
import { containerNamed } from '../pod-spec/environment';
import type { ObservedContainer } from '../inventory/observe';
import type { PodDeps } from '../containers/pod-deps';
import type { Int64 } from '../../api/int64';

export interface ProbedPod {
  readonly pod: Pod;
  readonly podIp: string;
  /** The pod is being deleted, or is ended by the agent. */
  readonly isEnding: boolean;
  /** It is being started or killed: leave it alone for now. */
  readonly isBusy: (run: ObservedContainer) => boolean;
  /** A verdict has changed. */
  readonly onChange: () => void;
  readonly onUnhealthy: (
    run: ObservedContainer,
    container: Container,
    how: { readonly message: string; readonly graceSeconds: Int64 | undefined },
  ) => void;
}

/** Probes the containers that run, and no others. Idempotent. */
export const watchProbes = (
  deps: Pick<PodDeps, 'probes' | 'events'>,
  probed: ProbedPod,
  runs: readonly ObservedContainer[],
): void => {
  const { pod, podIp } = probed;
  for (const run of runs) {
    const container = containerNamed(pod, run.name);
    const { id, state } = run;
    if (state.status !== 'running' || container === undefined) deps.probes.unwatch(id);
    else if (!probed.isBusy(run)) {
      const { startedAtMs } = state;
      const target = { containerId: id, container, podIp, startedAtMs };
      const before = { ...verdictsOf(pod, run), isEnding: probed.isEnding };
      deps.probes.watch(target, before, listenerOf(deps, probed, run, container));
    }
  }
};

const listenerOf = (
  { events }: Pick<PodDeps, 'events'>,
  { pod, onChange, onUnhealthy }: ProbedPod,
  run: ObservedContainer,
  container: Container,
): ProbeListener => ({
  onChange,
  onFailure: (kind, { output, isUnknown }) => {
    const how = isUnknown === true ? 'errored and resulted in unknown state' : 'failed';
    const message = `${WORD[kind]} probe ${how}: ${output}`;
    const path = fieldPathOf(pod, container);
    events.emit(pod, { type: 'Warning', reason: 'Unhealthy', message }, path);
  },
  onUnhealthy: (kind) => {
    const message = `Container ${run.name} failed ${kind} probe, will be restarted`;
    const graceSeconds = container[`${kind}Probe`]?.terminationGracePeriodSeconds;
    onUnhealthy(run, container, { message, graceSeconds });
  },
});

/** What an earlier agent found out about this run holds until a probe says otherwise. */
const verdictsOf = ({ status }: Pod, { id, name }: ObservedContainer) => {
  const { containerStatuses = [], initContainerStatuses = [] } = status;
  const known = [...containerStatuses, ...initContainerStatuses].find(
    (candidate) => candidate.name === name && candidate.containerID?.endsWith(id) === true,
  );
  return { started: known?.started === true, ready: known?.ready === true };
};

const WORD: Readonly<Record<ProbeKind, string>> = {
  startup: 'Startup',
  liveness: 'Liveness',
  readiness: 'Readiness',
};
