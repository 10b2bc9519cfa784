import type { Container, Pod } from '../../api/types';
import { DeadlineExceededError, withDeadline } from '../../lib/async/deadline';
import { describeError } from '../../lib/log';
import { fieldPathOf } from '../images/image-puller';
import { runHook } from '../handlers/hooks';
import { LABEL } from '../inventory/labels';
import type { PodDeps } from './pod-deps';
import { signalNumber } from '../pod-spec/stop-signal';
import { linkedController } from '../../lib/async/linked-controller';

export interface KillRequest {
  readonly pod: Pod;
  /** Undefined when the pod no longer names it. */
  readonly container: Container | undefined;
  readonly containerId: string;
  readonly graceMs: number;
  /** For the Killing event; absent: none. */
  readonly message?: string;
  readonly podIp: string;
}

type KillerDeps = Pick<PodDeps, 'runtime' | 'exits' | 'events' | 'clock' | 'log' | 'settings'>;

const SIGKILL = 9;
const SIGTERM = 15;
const POLL_MS = 1_000;
/** However long the hook took, the process gets this long to end by itself. */
const GRACE_AFTER_HOOK_MIN_MS = 2_000;

/** Ends containers as their pods ask: hook, signal, grace, kill. */
export class ContainerKiller {
  private readonly hooked = new Set<string>();

  constructor(private readonly deps: KillerDeps) {}

  /**
   * Resolves when the container has ended, or when `signal` aborts. @throws when it does not end even
   * by SIGKILL: the caller tries again.
   */
  async kill(request: KillRequest, signal: AbortSignal): Promise<void> {
    const { pod, container, containerId, graceMs, message } = request;
    const { clock, events } = this.deps;
    if (!this.isAlive(containerId)) return;
    if (message !== undefined && container !== undefined)
      events.emit(pod, { type: 'Normal', reason: 'Killing', message }, fieldPathOf(pod, container));
    const deadlineMs = clock.monotonicMs() + graceMs;
    // One that was never started has nothing to finish, and may be stuck in its start.
    if (graceMs > 0 && this.statusOf(containerId) !== 'created') {
      const hasHook = await this.preStop(request, signal);
      const minMs = hasHook ? GRACE_AFTER_HOOK_MIN_MS : 0;
      await this.send(containerId, this.stopSignalOf(containerId), signal);
      const leftMs = Math.max(minMs, deadlineMs - clock.monotonicMs());
      await this.waitForExit(containerId, leftMs, signal);
    }
    if (signal.aborted || !this.isAlive(containerId)) return;
    await this.killNow(containerId, signal);
  }

  private async killNow(id: string, signal: AbortSignal): Promise<void> {
    const { killLimitMs } = this.deps.settings;
    await this.send(id, SIGKILL, signal, { all: true });
    await this.waitForExit(id, killLimitMs, signal);
    if (this.isAlive(id) && !signal.aborted)
      throw new DeadlineExceededError(`the end of container ${id}`, killLimitMs);
  }

  /** Does nothing once `signal` aborts. */
  private async send(
    id: string,
    signalNumber: number,
    signal: AbortSignal,
    options?: { readonly all: boolean },
  ): Promise<void> {
    const { runtime, clock, settings } = this.deps;
    const what = `signal ${signalNumber} to container ${id}`;
    const deadline = { what, limitMs: settings.killLimitMs, clock, signal };
    try {
      await withDeadline(deadline, () => runtime.kill(id, signalNumber, options));
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  private async preStop(request: KillRequest, signal: AbortSignal): Promise<boolean> {
    const { pod, container, containerId, graceMs, podIp } = request;
    const hook = container?.lifecycle?.preStop;
    if (container === undefined || hook === undefined || this.hooked.has(containerId)) return false;
    this.hooked.add(containerId);
    const stop = linkedController(signal);
    const late = this.deps.clock.sleep(graceMs, stop.signal);
    try {
      const target = { containerId, container, podIp };
      await Promise.race([runHook(this.deps, target, hook, stop.signal), late]);
    } catch (error) {
      // What a hook prints may be secret: it stays on the node.
      this.deps.log.info({ containerId, err: describeError(error) }, 'a preStop hook failed');
      const message = 'PreStopHook failed';
      const event = { type: 'Warning', reason: 'FailedPreStopHook', message } as const;
      this.deps.events.emit(pod, event, fieldPathOf(pod, container));
    } finally {
      stop.abort();
    }
    return true;
  }

  private async waitForExit(id: string, timeoutMs: number, signal: AbortSignal): Promise<void> {
    const { clock, exits } = this.deps;
    const endMs = clock.monotonicMs() + timeoutMs;
    while (this.isAlive(id) && !signal.aborted) {
      const leftMs = endMs - clock.monotonicMs();
      if (leftMs <= 0) return;
      using rung = linkedController(signal);
      const undo = exits.onRing(id, () => rung.abort());
      // The poll is for a bell that was not heard.
      await clock.sleep(Math.min(POLL_MS, leftMs), rung.signal);
      undo();
    }
  }

  private isAlive(id: string): boolean {
    const status = this.statusOf(id);
    return status !== undefined && status !== 'exited';
  }

  private statusOf(id: string) {
    return this.deps.runtime.container(id)?.status;
  }

  private stopSignalOf(id: string): number {
    const state = this.deps.runtime.container(id);
    // Of an agent from before numbers were kept it may be a name, or none at all.
    return signalNumber(state?.labels[LABEL.stopSignal] ?? '') ?? SIGTERM;
  }
}
