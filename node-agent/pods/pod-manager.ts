import { isStaticPod } from '../../api/static-pods';
import { nameKey, nameOf, type Pod } from '../../api/types';
import { withDeadline } from '../../lib/async/deadline';
import { describeError } from '../../lib/log';
import type { HostPort } from '../../runtime/pod-network';
import { listFolder } from '../files';
import { byResizeOrder } from '../plan/resize-order';
import { wantedHostPorts } from '../pod-spec/host-ports';
import { LABEL, sandboxIdOf } from '../inventory/labels';
import type { PodDeps } from '../containers/pod-deps';
import { usersOf, type ChangedObject } from './object-users';
import { PodWorker } from './pod-worker';
import { removeSandbox } from '../containers/pod-sandbox';

/** One worker per pod, and the cleaning up of what belongs to none. */
export class PodManager {
  private readonly workers = new Map<string, PodWorker>();
  private readonly tasks = new Map<string, Promise<void>>();
  private readonly controller = new AbortController();
  private wanted: ReadonlyMap<string, Pod> = new Map();

  constructor(private readonly deps: PodDeps) {}

  /** Makes exactly these pods run. */
  sync(pods: ReadonlyMap<string, Pod>): void {
    const before = this.wanted;
    this.wanted = new Map(pods);
    for (const [uid, worker] of this.workers) if (!pods.has(uid)) worker.remove();
    for (const [uid, pod] of [...pods].sort(knownFirst)) {
      const worker = this.workers.get(uid);
      if (worker === undefined) this.addUnlessHeld(uid, pod);
      else if (!isSameWish(before.get(uid), pod)) worker.update(pod);
    }
  }

  /** Volumes and waiting containers look again, where they may use what changed: anything, unless told. */
  objectsChanged(objects?: readonly ChangedObject[]): void {
    const isUser = objects === undefined ? () => true : usersOf(objects);
    for (const worker of this.workers.values()) if (isUser(worker.current)) worker.retryNow();
  }

  private wakeAll(): void {
    for (const worker of this.workers.values()) worker.wake();
  }

  worker(uid: string): PodWorker | undefined {
    return this.workers.get(uid);
  }

  /** Pods that take room on this node. */
  active(): readonly Pod[] {
    return this.activeWorkers().map(({ current }) => current);
  }

  activeWorkers(): readonly PodWorker[] {
    return [...this.workers.values()].filter(({ isActive }) => isActive);
  }

  /** Lets each pod that waits for more, or less, have it if there is room, who comes first first. */
  resizeInOrder(): void {
    const waiting = this.activeWorkers().flatMap((worker) => {
      const resize = worker.waitingResize;
      return resize === undefined ? [] : [{ worker, resize }];
    });
    waiting.sort((a, b) => byResizeOrder(a.resize, b.resize));
    for (const { worker } of waiting) worker.resizeNow();
  }

  /** Of all pods that have an address of their own now; those that others may have been given last. */
  hostPorts(): readonly HostPort[] {
    const attachments = this.deps.network.current?.attachments() ?? [];
    const addresses = new Map(attachments.map(({ sandboxId, ips }) => [sandboxId, ips]));
    const workers = [...this.workers.values()].sort(
      (a, b) => Number(a.isForgotten) - Number(b.isForgotten),
    );
    return workers.flatMap(({ uid, current }) => {
      const ips = addresses.get(sandboxIdOf(uid)) ?? [];
      return ips.flatMap((ip) => wantedHostPorts(current, ip));
    });
  }

  /** Passes on what the runtime tells, until `signal` aborts. */
  async followRuntime(signal: AbortSignal): Promise<void> {
    const { runtime, exits, clock, log, settings } = this.deps;
    while (!signal.aborted) {
      try {
        for await (const event of runtime.events(signal)) {
          if (event.type === 'exit') exits.ring(event.containerId);
          const state = runtime.container(event.containerId);
          this.workers.get(state?.labels[LABEL.uid] ?? '')?.wake();
        }
      } catch (error) {
        log.warn({ err: describeError(error) }, 'runtime events broke off');
      }
      this.wakeAll();
      await clock.sleep(settings.retryMs, signal);
    }
  }

  /** Has the disk use of pods measured, and removes orphans now and then, until `signal` aborts. */
  async keepHouse(mayRemoveOrphans: () => boolean, signal: AbortSignal): Promise<void> {
    const { clock, settings, log, storage } = this.deps;
    while (!signal.aborted) {
      try {
        if (mayRemoveOrphans()) await this.removeOrphans();
        this.deps.groups.update();
        this.deps.cpus.update();
        await this.deps.logs.tidy(this.deps.runtime.containers());
        storage.look(this.activeWorkers(), signal);
      } catch (error) {
        log.warn({ err: describeError(error) }, 'housekeeping failed');
      }
      await clock.sleep(settings.housekeepingMs, signal);
    }
    await storage.drained();
  }

  /** Stops the workers; containers run on. Whatever is stuck is left behind after a while. */
  async stop(): Promise<void> {
    const { clock, settings, log } = this.deps;
    this.controller.abort();
    const deadline = { what: 'the stop of the pods', limitMs: settings.stopLimitMs, clock };
    try {
      await withDeadline(deadline, () => Promise.all(this.tasks.values()));
    } catch (error) {
      log.error({ err: describeError(error), pods: [...this.tasks.keys()] }, 'pods are stuck');
    }
  }

  /** The next of a static pod begins when the one before it has ended: they share a name, ports and folders. */
  private addUnlessHeld(uid: string, pod: Pod): void {
    const key = nameKey(nameOf(pod));
    const isHeld =
      isStaticPod(pod) &&
      [...this.workers.values()].some(({ current }) => nameKey(nameOf(current)) === key);
    if (!isHeld) this.add(uid, pod);
  }

  private add(uid: string, pod: Pod): void {
    const worker = new PodWorker(this.deps, pod);
    this.workers.set(uid, worker);
    const task = worker.run(this.controller.signal).then(() => {
      this.workers.delete(uid);
      this.tasks.delete(uid);
      if (this.controller.signal.aborted) return;
      // Taken away and given back while it was ending, or it kept another of its name waiting.
      for (const [each, again] of this.wanted)
        if (!this.workers.has(each)) this.addUnlessHeld(each, again);
    });
    this.tasks.set(uid, task);
  }

  /** What is left of pods that no worker has: deleted while the agent was away, or half removed. */
  private async removeOrphans(): Promise<void> {
    const { runtime, volumes, csi, images, network, paths, logs, allocations, cpus, devices, log } =
      this.deps;
    const isOrphan = (uid: string) => !this.workers.has(uid);
    for (const { labels } of runtime.sandboxes()) {
      const uid = labels[LABEL.uid];
      if (uid === undefined || !isOrphan(uid)) continue;
      log.info({ uid, pod: labels[LABEL.podName] }, 'removing an orphaned pod');
      await this.attempt('its sandbox', uid, () => removeSandbox(this.deps, uid));
    }
    const sandboxIds = new Set([...this.workers.keys()].map(sandboxIdOf));
    for (const { sandboxId } of network.current?.attachments() ?? [])
      if (!sandboxIds.has(sandboxId))
        await this.attempt('its network', sandboxId, async () =>
          network.current?.detach(sandboxId),
        );
    for (const uid of images.pinOwners().filter(isOrphan)) images.unpin(uid);
    for (const uid of volumes.podUids().filter(isOrphan))
      await this.attempt('its volumes', uid, async (signal) => {
        await csi.release(uid, signal);
        await volumes.remove(uid);
      });
    for (const uid of (await allocations.uids()).filter(isOrphan)) allocations.remove(uid);
    const isGone = (uid: string) => !runtime.sandboxes().some(({ id }) => id === sandboxIdOf(uid));
    for (const uid of cpus.podUids()) if (isOrphan(uid) && isGone(uid)) cpus.release(uid);
    for (const uid of devices.podUids()) if (isOrphan(uid) && isGone(uid)) devices.release(uid);
    for (const folder of await listFolder(paths.logRoot)) {
      const uid = folder.slice(folder.lastIndexOf('_') + 1);
      if (isOrphan(uid)) await this.attempt('its logs', uid, () => logs.remove(folder));
    }
  }

  /** What cannot be removed, or not in time, is tried again later and keeps nobody else waiting. */
  private async attempt(
    part: string,
    uid: string,
    work: (signal: AbortSignal) => Promise<unknown>,
  ): Promise<void> {
    const { clock, settings, log } = this.deps;
    const { signal } = this.controller;
    const what = `the removal of ${part}`;
    try {
      await withDeadline({ what, limitMs: settings.stepLimitMs, clock, signal }, work);
    } catch (error) {
      log.warn({ uid, err: describeError(error) }, 'an orphan cannot be removed yet');
    }
  }
}

/** Pods that ran before are let in before new ones, which must find room beside them. */
const knownFirst = ([, a]: [string, Pod], [, b]: [string, Pod]): number =>
  Number(a.status.startTime === undefined) - Number(b.status.startTime === undefined);

/** Nothing came from the server since: a status noted here makes a new object of the same parts. */
const isSameWish = (before: Pod | undefined, now: Pod): boolean =>
  before?.metadata === now.metadata && before.spec === now.spec;
