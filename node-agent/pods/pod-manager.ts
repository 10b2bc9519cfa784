import { rmSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import type { Pod } from '../../api/types';
import { describeError } from '../../lib/log';
import { hasErrorCode } from '../files';
import { LABEL, uidOf } from './labels';
import type { PodDeps } from './pod-deps';
import { PodWorker } from './pod-worker';
import { removeSandbox } from './pod-sandbox';

/** One worker per pod, and the cleaning up of what belongs to none. */
export class PodManager {
  private readonly workers = new Map<string, PodWorker>();
  private readonly tasks = new Map<string, Promise<void>>();
  private readonly controller = new AbortController();

  constructor(private readonly deps: PodDeps) {}

  /** Makes exactly these pods run. */
  sync(pods: ReadonlyMap<string, Pod>): void {
    for (const pod of pods.values()) {
      const worker = this.workers.get(uidOf(pod));
      if (worker === undefined) this.add(pod);
      else worker.update(pod);
    }
    for (const [uid, worker] of this.workers) if (!pods.has(uid)) worker.remove();
  }

  /** Secrets or configmaps changed: volumes and waiting containers look again. */
  objectsChanged(): void {
    for (const worker of this.workers.values()) worker.retryNow();
  }

  private wakeAll(): void {
    for (const worker of this.workers.values()) worker.wake();
  }

  worker(uid: string): PodWorker | undefined {
    return this.workers.get(uid);
  }

  /** Pods that take room on this node. */
  active(): readonly Pod[] {
    return [...this.workers.values()].flatMap((worker) =>
      worker.isActive ? [worker.current] : [],
    );
  }

  /** Passes on what the runtime tells, until `signal` aborts. */
  async followRuntime(signal: AbortSignal): Promise<void> {
    const { runtime, exits, clock, log, settings } = this.deps;
    while (!signal.aborted) {
      try {
        for await (const event of runtime.events(signal)) {
          if (event.type === 'exit') exits.ring(event.containerId);
          const state = runtime.containers().find(({ id }) => id === event.containerId);
          this.workers.get(state?.labels[LABEL.uid] ?? '')?.wake();
        }
      } catch (error) {
        log.warn({ err: describeError(error) }, 'runtime events broke off');
      }
      this.wakeAll();
      await clock.sleep(settings.retryMs, signal);
    }
  }

  /** Measures volumes and removes orphans now and then, until `signal` aborts. */
  async keepHouse(mayRemoveOrphans: () => boolean, signal: AbortSignal): Promise<void> {
    const { clock, settings, log } = this.deps;
    while (!signal.aborted) {
      try {
        if (mayRemoveOrphans()) await this.removeOrphans();
        await this.evictOversized(signal);
      } catch (error) {
        log.warn({ err: describeError(error) }, 'housekeeping failed');
      }
      await clock.sleep(settings.housekeepingMs, signal);
    }
  }

  /** Stops the workers; containers run on. */
  async stop(): Promise<void> {
    this.controller.abort();
    await Promise.all(this.tasks.values());
  }

  private add(pod: Pod): void {
    const uid = uidOf(pod);
    const worker = new PodWorker(this.deps, pod);
    this.workers.set(uid, worker);
    const task = worker.run(this.controller.signal).then(() => {
      this.workers.delete(uid);
      this.tasks.delete(uid);
    });
    this.tasks.set(uid, task);
  }

  /** What is left of pods that no worker has: deleted while the agent was away, or half removed. */
  private async removeOrphans(): Promise<void> {
    const { runtime, volumes, images, log } = this.deps;
    for (const { labels } of runtime.sandboxes()) {
      const uid = labels[LABEL.uid];
      if (uid === undefined || this.workers.has(uid)) continue;
      log.info({ uid, pod: labels[LABEL.podName] }, 'removing an orphaned pod');
      await removeSandbox(this.deps, uid, true);
      images.unpin(uid);
    }
    for (const uid of volumes.podUids()) if (!this.workers.has(uid)) volumes.remove(uid);
    const { logRoot } = this.deps.paths;
    for (const folder of await listFolder(logRoot)) {
      const uid = folder.slice(folder.lastIndexOf('_') + 1);
      if (!this.workers.has(uid)) rmSync(join(logRoot, folder), { recursive: true, force: true });
    }
  }

  private async evictOversized(signal: AbortSignal): Promise<void> {
    for (const worker of [...this.workers.values()]) {
      if (!worker.isActive) continue;
      const volume = await this.deps.volumes.overLimit(worker.current, signal);
      if (volume === undefined) continue;
      const limit = volume.emptyDir?.sizeLimit ?? '';
      const message = `Usage of EmptyDir volume "${volume.name}" exceeds the limit "${limit}". `;
      worker.evict({ reason: 'Evicted', message });
    }
  }
}

const listFolder = async (path: string): Promise<readonly string[]> => {
  try {
    return await readdir(path);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return [];
    throw error;
  }
};
