import { withDeadline } from '../../lib/async/deadline';
import { linkedController } from '../../lib/async/linked-controller';
import type { Clock } from '../../lib/clock';
import { describeError } from '../../lib/describe-error';
import type { Random } from '../../lib/random';
import type { ContainerRuntime } from '../../runtime/container-runtime';
import type { ActionResult, ActionTarget } from '../handlers/hooks';
import { runProbe, type Probe } from './probe-action';

export type ProbeKind = 'startup' | 'liveness' | 'readiness';

export interface ProbeListener {
  /** Readiness or startup came to another verdict. */
  onChange(): void;
  /** One failure, for an event. */
  onFailure(kind: ProbeKind, result: ActionResult): void;
  /** Liveness or startup failed as often as the pod allows: the container must be restarted. */
  onUnhealthy(kind: ProbeKind): void;
}

export type ProbeAction = (
  target: ActionTarget,
  probe: Probe,
  signal: AbortSignal,
) => Promise<ActionResult>;

/** A running container and where to reach it. */
export interface ProbeTarget extends ActionTarget {
  readonly startedAtMs: number;
}

interface Watch {
  readonly controller: AbortController;
  /** Of the probes that may end the container: they stop when something else does. */
  readonly vital: AbortController;
  isStarted: boolean;
  isReady: boolean;
}

/** Probes running containers, one loop for each probe, for as long as the container runs. */
export class ProbeRunner {
  private readonly watches = new Map<string, Watch>();
  private readonly act: ProbeAction;

  constructor(
    private readonly deps: {
      readonly runtime: ContainerRuntime;
      readonly clock: Clock;
      readonly random: Random;
      /** How much later than its own limit a probe may end before it counts as failed. */
      readonly slackMs: number;
      /** Default: really run them. */
      readonly action?: ProbeAction;
    },
  ) {
    this.act = deps.action ?? ((target, probe, signal) => runProbe(deps, target, probe, signal));
  }

  /**
   * Begins probing, from the verdicts of an earlier agent. Idempotent by container id. A container
   * `isEnding` is probed for readiness only.
   */
  watch(
    target: ProbeTarget,
    before: { readonly started: boolean; readonly ready: boolean; readonly isEnding?: boolean },
    listener: ProbeListener,
  ): void {
    const { containerId, container } = target;
    if (this.watches.has(containerId)) return;
    const { startupProbe, livenessProbe, readinessProbe } = container;
    const watch: Watch = {
      controller: new AbortController(),
      vital: new AbortController(),
      isStarted: startupProbe === undefined || before.started,
      isReady: readinessProbe === undefined || before.ready,
    };
    this.watches.set(containerId, watch);
    if (before.isEnding === true) watch.vital.abort();
    const run = async () => {
      if (startupProbe !== undefined && !watch.isStarted)
        await this.startup(watch, target, startupProbe, listener);
      if (watch.controller.signal.aborted || !watch.isStarted) return;
      await Promise.all([
        livenessProbe && this.liveness(watch, target, livenessProbe, listener),
        readinessProbe && this.readiness(watch, target, readinessProbe, listener),
      ]);
    };
    void run();
  }

  /**
   * The container is being ended: liveness and startup probes stop, so that none of them restarts
   * what is on its way out. Readiness goes on: who still sends requests must know.
   */
  endVital(containerId: string): void {
    this.watches.get(containerId)?.vital.abort();
  }

  unwatch(containerId: string): void {
    this.watches.get(containerId)?.controller.abort();
    this.watches.delete(containerId);
  }

  isStarted(containerId: string): boolean {
    return this.watches.get(containerId)?.isStarted ?? false;
  }

  isReady(containerId: string): boolean {
    const watch = this.watches.get(containerId);
    return watch !== undefined && watch.isStarted && watch.isReady;
  }

  private async startup(
    watch: Watch,
    target: ProbeTarget,
    probe: Probe,
    listener: ProbeListener,
  ): Promise<void> {
    using signals = linkedController(watch.controller.signal, watch.vital.signal);
    await this.loop(signals.signal, 'startup', target, probe, listener, (succeeded) => {
      if (!succeeded) listener.onUnhealthy('startup');
      else {
        watch.isStarted = true;
        listener.onChange();
      }
      return false;
    });
  }

  private async liveness(
    watch: Watch,
    target: ProbeTarget,
    probe: Probe,
    listener: ProbeListener,
  ): Promise<void> {
    using signals = linkedController(watch.controller.signal, watch.vital.signal);
    await this.loop(signals.signal, 'liveness', target, probe, listener, (succeeded) => {
      if (!succeeded) listener.onUnhealthy('liveness');
      return succeeded;
    });
  }

  private async readiness(
    watch: Watch,
    target: ProbeTarget,
    probe: Probe,
    listener: ProbeListener,
  ): Promise<void> {
    await this.loop(watch.controller.signal, 'readiness', target, probe, listener, (succeeded) => {
      if (watch.isReady !== succeeded) {
        watch.isReady = succeeded;
        listener.onChange();
      }
      return true;
    });
  }

  /** What ran before this agent did is probed soon, but not all of it at once. */
  private firstDelayMs({ startedAtMs }: ProbeTarget, probe: Probe): number {
    const { clock, random } = this.deps;
    const periodMs = (probe.periodSeconds ?? 10) * 1000;
    // Looked at once, when the container is first seen: a stamp from the future counts as now.
    const ranMs = Math.max(0, clock.now() - startedAtMs);
    const leftMs = (probe.initialDelaySeconds ?? 0) * 1000 - ranMs;
    return leftMs + periodMs > 0 ? Math.max(0, leftMs) : random.next() * periodMs;
  }

  /** A probe keeps its own limit; one that is stuck all the same has failed. */
  private async once(
    kind: ProbeKind,
    target: ProbeTarget,
    probe: Probe,
    signal: AbortSignal,
  ): Promise<ActionResult> {
    const { clock, slackMs } = this.deps;
    const limitMs = (probe.timeoutSeconds ?? 1) * 1000 + slackMs;
    const what = `the ${kind} probe`;
    try {
      return await withDeadline({ what, limitMs, clock, signal }, (over) =>
        this.act(target, probe, over),
      );
    } catch (error) {
      return { succeeded: false, output: describeError(error) };
    }
  }

  /** Calls `settle` each time the threshold for success or failure is reached, until it says false. */
  private async loop(
    signal: AbortSignal,
    kind: ProbeKind,
    target: ProbeTarget,
    probe: Probe,
    listener: ProbeListener,
    settle: (succeeded: boolean) => boolean,
  ): Promise<void> {
    const { clock } = this.deps;
    const periodMs = (probe.periodSeconds ?? 10) * 1000;
    await clock.sleep(this.firstDelayMs(target, probe), signal);
    let successes = 0;
    let failures = 0;
    while (!signal.aborted) {
      const result = await this.once(kind, target, probe, signal);
      const { succeeded, isUnknown } = result;
      if (aborted(signal)) return;
      if (!succeeded) listener.onFailure(kind, result);
      if (isUnknown !== true) {
        successes = succeeded ? successes + 1 : 0;
        failures = succeeded ? 0 : failures + 1;
        const isDecided =
          successes >= (probe.successThreshold ?? 1) || failures >= (probe.failureThreshold ?? 3);
        if (isDecided && !settle(succeeded)) return;
      }
      await clock.sleep(periodMs, signal);
    }
  }
}

// Behind a call, so that the compiler does not take an earlier look for the present one.
const aborted = (signal: AbortSignal): boolean => signal.aborted;
