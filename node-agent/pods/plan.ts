import { isRestartableInit } from '../../api/pods';
import type { Container, Pod } from '../../api/types';
import type { AgentSettings } from '../settings';
import type { ObservedContainer, PodObservation } from './observe';

export interface StartAction {
  readonly container: Container;
  readonly isInit: boolean;
  readonly restartCount: number;
  /** Which step of the back-off this run used; -1 for a first run. */
  readonly backoffStep: number;
}

interface KillAction {
  readonly containerId: string;
  readonly container: Container;
  /** For the Killing event. */
  readonly message: string;
}

/** What to do next for a pod that should run. */
export interface PodPlan {
  readonly starts: readonly StartAction[];
  readonly kills: readonly KillAction[];
  /** Container name → when it may start again. */
  readonly backoffUntilMs: ReadonlyMap<string, number>;
  /** Every init container that must end has ended well. */
  readonly isInitialized: boolean;
  /** All main containers have ended for good (or an init container failed for good). */
  readonly isComplete: boolean;
}

export interface PlanInput {
  readonly pod: Pod;
  readonly observation: PodObservation;
  readonly nowMs: number;
  readonly settings: AgentSettings;
  /** The pod is on its way out: nothing starts any more. */
  readonly isEnding: boolean;
  /** Containers whose startup probe has passed, or that have none and run. By runtime id. */
  readonly isStarted: (run: ObservedContainer) => boolean;
}

/** Pure: the difference between what a pod wants and what is there. */
export const planPod = (input: PlanInput): PodPlan => {
  const draft = new PlanDraft(input);
  const { pod, observation } = input;
  const hasBegun = pod.spec.containers.some(({ name }) => runOf(observation, name) !== undefined);
  const init = draft.planInit(hasBegun);
  if (init !== 'done') return draft.finish(false, init === 'failed');
  for (const container of pod.spec.containers) draft.planMain(container);
  return draft.finish(true, isComplete(pod, observation));
};

type InitProgress = 'waiting' | 'failed' | 'done';

class PlanDraft {
  private readonly starts: StartAction[] = [];
  private readonly kills: KillAction[] = [];
  private readonly backoffUntilMs = new Map<string, number>();

  constructor(private readonly input: PlanInput) {}

  finish(isInitialized: boolean, isComplete: boolean): PodPlan {
    const { starts, kills, backoffUntilMs } = this;
    // A finished pod starts nothing more, its sidecars least of all.
    if (isComplete || this.input.isEnding)
      return { starts: [], kills: [], backoffUntilMs: new Map(), isInitialized, isComplete };
    return { starts, kills, backoffUntilMs, isInitialized, isComplete };
  }

  /** One after another; a sidecar must have started, any other init container have succeeded. */
  planInit(hasBegun: boolean): InitProgress {
    const { pod, observation, isStarted } = this.input;
    for (const container of pod.spec.initContainers ?? []) {
      const run = runOf(observation, container.name);
      if (isRestartableInit(container)) {
        this.ensure(container, true, () => true);
        const isUp = run?.state.status === 'running' && isStarted(run);
        if (!isUp && !hasBegun) return 'waiting';
      } else if (!hasBegun && !isSuccess(run)) {
        if (run?.state.status === 'exited' && pod.spec.restartPolicy === 'Never') return 'failed';
        this.ensure(container, true, (exitCode) => exitCode !== 0);
        return 'waiting';
      }
    }
    return 'done';
  }

  planMain(container: Container): void {
    const { pod, observation } = this.input;
    const run = runOf(observation, container.name);
    // A lost run of a pod that may not restart counts as ended, whatever it was doing.
    this.ensure(container, false, (exitCode) => shouldRestart(pod, exitCode));
    const isOutdated =
      run?.exists === true && run.image !== '' && run.image !== container.image && isAlive(run);
    if (!isOutdated) return;
    const message = `Container ${container.name} definition changed, will be restarted`;
    this.kills.push({ containerId: run.id, container, message });
  }

  private ensure(
    container: Container,
    isInit: boolean,
    restarts: (exitCode: number) => boolean,
  ): void {
    const { observation, nowMs, settings } = this.input;
    const run = runOf(observation, container.name);
    if (run === undefined || run.state.status === 'created') {
      const restartCount = run?.restartCount ?? 0;
      const backoffStep = run?.backoffStep ?? -1;
      this.starts.push({ container, isInit, restartCount, backoffStep });
      return;
    }
    if (run.state.status === 'running' || !restarts(run.state.exit.exitCode)) return;
    const { step, delayMs } = nextBackoff(run, settings);
    const untilMs = run.state.exit.finishedAtMs + delayMs;
    if (untilMs > nowMs) this.backoffUntilMs.set(container.name, untilMs);
    else
      this.starts.push({
        container,
        isInit,
        restartCount: run.restartCount + 1,
        backoffStep: step,
      });
  }
}

/** The delay before the run after this one: 10, 20, 40 ... 300 s, from the start again after 10 min up. */
export const nextBackoff = (
  run: ObservedContainer,
  settings: AgentSettings,
): { readonly step: number; readonly delayMs: number } => {
  if (run.state.status !== 'exited') return { step: 0, delayMs: 0 };
  const { startedAtMs, exit } = run.state;
  const ranMs = startedAtMs === undefined ? 0 : exit.finishedAtMs - startedAtMs;
  const step = ranMs >= settings.restartBackoffResetMs ? 0 : run.backoffStep + 1;
  const { restartBackoffInitialMs: initialMs, restartBackoffMaxMs: maxMs } = settings;
  return { step, delayMs: Math.min(maxMs, initialMs * 2 ** Math.min(step, 30)) };
};

export const shouldRestart = ({ spec }: Pod, exitCode: number): boolean =>
  spec.restartPolicy === 'Never' ? false : spec.restartPolicy !== 'OnFailure' || exitCode !== 0;

const isComplete = ({ spec, ...pod }: Pod, observation: PodObservation): boolean =>
  spec.containers.every(({ name }) => {
    const run = runOf(observation, name);
    return (
      run?.state.status === 'exited' && !shouldRestart({ spec, ...pod }, run.state.exit.exitCode)
    );
  });

const runOf = (observation: PodObservation, name: string): ObservedContainer | undefined =>
  observation.get(name)?.current;

const isAlive = ({ state }: ObservedContainer): boolean => state.status !== 'exited';

const isSuccess = (run: ObservedContainer | undefined): boolean =>
  run?.state.status === 'exited' && run.state.exit.exitCode === 0;
