import { isRestartableInit, isTerminal } from '../../api/pods';
import { restartsAfter } from '../../api/restart-rules';
import type { Container, Pod } from '../../api/types';
import type { AgentSettings } from '../settings';
import type { ObservedContainer, PodObservation } from '../inventory/observe';
import type { RunTimes } from '../inventory/run-times';

export interface StartAction {
  readonly container: Container;
  readonly isInit: boolean;
  readonly restartCount: number;
  /** Which step of the back-off this run used: -1 for a first run, 0 for a restart without delay. */
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
  /** Container name → when it may start again, monotonic. */
  readonly backoffUntilMs: ReadonlyMap<string, number>;
  /** Every init container that must end has ended well. */
  readonly isInitialized: boolean;
  /** All main containers have ended for good (or an init container failed for good). */
  readonly isComplete: boolean;
}

export interface PlanInput {
  readonly pod: Pod;
  readonly observation: PodObservation;
  /** Monotonic, as are the times of runs. */
  readonly nowMs: number;
  readonly timesOf: (run: ObservedContainer) => RunTimes;
  readonly settings: AgentSettings;
  /** The pod is on its way out: nothing starts any more. */
  readonly isEnding: boolean;
  /** Containers whose startup probe has passed, or that have none and run. By runtime id. */
  readonly isStarted: (run: ObservedContainer) => boolean;
  /** Ended because its definition changed: it starts again whatever the restart policy says. */
  readonly isReplaced: (run: ObservedContainer) => boolean;
  /** It can only be resized by another run. */
  readonly needsRestart: (run: ObservedContainer, container: Container) => boolean;
}

/** Pure: the difference between what a pod wants and what is there. */
export const planPod = (input: PlanInput): PodPlan => {
  const draft = new PlanDraft(input);
  const init = draft.planInit(hasBegun(input));
  if (init !== 'done') return draft.finish(false, init === 'failed');
  for (const container of input.pod.spec.containers) draft.planMain(container);
  return draft.finish(true, isComplete(input));
};

/**
 * The main containers have had their turn. When the machine went down under them the pod begins
 * again, init containers first: what these prepared in memory is gone.
 */
const hasBegun = ({ pod, observation, isEnding }: PlanInput): boolean =>
  pod.spec.containers.some(({ name }) => {
    const run = runOf(observation, name);
    return run !== undefined && (run.exists || isEnding || isTerminal(pod) || !mayRestart(pod));
  });

type InitProgress = 'waiting' | 'failed' | 'done';

class PlanDraft {
  private readonly starts: StartAction[] = [];
  private readonly kills: KillAction[] = [];
  private readonly backoffUntilMs = new Map<string, number>();

  constructor(private readonly input: PlanInput) {}

  finish(isInitialized: boolean, isComplete: boolean): PodPlan {
    const { starts, kills, backoffUntilMs } = this;
    this.planEphemeral();
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
        this.replaceOutdated(container);
        const isUp = run?.state.status === 'running' && isStarted(run);
        if (!isUp && !hasBegun) return 'waiting';
      } else if (!hasBegun && !isDone(pod, run)) {
        // One that has done its work and is run again failed in nothing.
        if (run !== undefined && hasFailed(run) && !restarts(pod, container, run)) return 'failed';
        this.ensure(container, true, () => true);
        return 'waiting';
      }
    }
    return 'done';
  }

  planMain(container: Container): void {
    const { spec } = this.input.pod;
    // A lost run of a pod that may not restart counts as ended, whatever it was doing.
    this.ensure(container, false, (exitCode) => restartsAfter(spec, container, exitCode));
    this.replaceOutdated(container);
  }

  /** Once each, whatever the others do; after these, for who looks into a pod must not hold it up. */
  private planEphemeral(): void {
    const { pod, observation } = this.input;
    for (const added of pod.spec.ephemeralContainers ?? []) {
      const run = runOf(observation, added.name);
      if (run !== undefined && run.state.status !== 'created') continue;
      const container = added as Container;
      this.starts.push({ container, isInit: false, restartCount: 0, backoffStep: -1 });
    }
  }

  private replaceOutdated(container: Container): void {
    const run = runOf(this.input.observation, container.name);
    if (run?.exists !== true || !isAlive(run)) return;
    const { name } = container;
    const message = hasOtherImage(run, container)
      ? `Container ${name} definition changed, will be restarted`
      : this.input.needsRestart(run, container)
        ? `Container ${name} resize requires restart`
        : undefined;
    if (message !== undefined) this.kills.push({ containerId: run.id, container, message });
  }

  private ensure(
    container: Container,
    isInit: boolean,
    restarts: (exitCode: number) => boolean,
  ): void {
    const { observation, nowMs, settings, isReplaced, timesOf } = this.input;
    const run = runOf(observation, container.name);
    if (run === undefined || run.state.status === 'created') {
      const restartCount = run?.restartCount ?? 0;
      const backoffStep = run?.backoffStep ?? -1;
      this.starts.push({ container, isInit, restartCount, backoffStep });
      return;
    }
    if (run.state.status === 'running') return;
    if (!restarts(run.state.exit.exitCode) && !isReplaced(run)) return;
    // Another image is a new try: it does not wait for the failures of the one before.
    const isNewTry = hasOtherImage(run, container) || isReplaced(run);
    const { ranMs, endedMs } = timesOf(run);
    const { step, delayMs } = isNewTry ? FIRST_TRY : nextBackoff(run, ranMs, settings);
    const untilMs = endedMs + delayMs;
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

/**
 * The delay before the run after this one: none, 10, 20, 40 ... 300 s. A run that was up for ten
 * minutes has no failures before it: the next starts at once again.
 */
export const nextBackoff = (
  run: ObservedContainer,
  ranMs: number,
  settings: AgentSettings,
): { readonly step: number; readonly delayMs: number } => {
  if (run.state.status !== 'exited') return { step: 0, delayMs: 0 };
  const step = ranMs >= settings.restartBackoffResetMs ? 0 : run.backoffStep + 1;
  const { restartBackoffInitialMs: initialMs, restartBackoffMaxMs: maxMs } = settings;
  if (step <= 0) return { step, delayMs: 0 };
  return { step, delayMs: Math.min(maxMs, initialMs * 2 ** Math.min(step - 1, 30)) };
};

const FIRST_TRY = { step: -1, delayMs: 0 };

const mayRestart = ({ spec }: Pod): boolean => spec.restartPolicy !== 'Never';

const hasFailed = ({ state }: ObservedContainer): boolean =>
  state.status === 'exited' && state.exit.exitCode !== 0;

/** Does a container whose run has ended run again? */
const restarts = ({ spec }: Pod, container: Container, { state }: ObservedContainer): boolean =>
  state.status === 'exited' && restartsAfter(spec, container, state.exit.exitCode);

const isComplete = ({ pod, observation, isReplaced }: PlanInput): boolean =>
  pod.spec.containers.every((container) => {
    const run = runOf(observation, container.name);
    if (run?.state.status !== 'exited' || isReplaced(run)) return false;
    return !restarts(pod, container, run);
  });

const runOf = (observation: PodObservation, name: string): ObservedContainer | undefined =>
  observation.get(name)?.current;

const isAlive = ({ state }: ObservedContainer): boolean => state.status !== 'exited';

/** Made from another image than the pod names now. */
const hasOtherImage = ({ image }: ObservedContainer, container: Container): boolean =>
  image !== '' && image !== container.image;

/** An init container has done its work, and what it did is still there. */
const isDone = (pod: Pod, run: ObservedContainer | undefined): boolean =>
  run?.state.status === 'exited' &&
  run.state.exit.exitCode === 0 &&
  (run.exists || !mayRestart(pod));
