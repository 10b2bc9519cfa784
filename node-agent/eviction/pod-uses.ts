import { type Pod, uidOf } from '../../api/types';
import { withDeadline } from '../../lib/async/deadline';
import type { JobThread } from '../../lib/async/job-thread';
import type { Clock } from '../../lib/clock';
import type { ContainerRuntime } from '../../runtime/container-runtime';
import { LABEL, sandboxIdOf } from '../inventory/labels';
import type { MeterJob, MeterReading } from '../storage/meter';
import type { StoragePlaces } from '../storage/storage-limits';
import type { ContainerUse, PodUse } from './rank';
import type { StarvedResource } from './thresholds';

interface PodUsesDeps {
  readonly runtime: Pick<ContainerRuntime, 'containers' | 'stats' | 'sandboxStats'>;
  readonly meter: JobThread<MeterJob, MeterReading>;
  readonly placesOf: (pod: Pod) => StoragePlaces;
  readonly clock: Clock;
}

/** What pods take of a resource, as the kernel counts it now. */
export class PodUses {
  constructor(private readonly deps: PodUsesDeps) {}

  /** Of one pod. What cannot be read, or not in time, is unknown: nobody waits for a million files. */
  async of(pod: Pod, resource: StarvedResource, signal: AbortSignal): Promise<PodUse> {
    const { clock } = this.deps;
    const deadline = { what: 'the measuring of a pod', limitMs: MEASURE_LIMIT_MS, clock, signal };
    try {
      return await withDeadline(deadline, (s) => this.measure(pod, resource, s));
    } catch {
      signal.throwIfAborted();
      return { pod, used: undefined, containers: [] };
    }
  }

  private async measure(pod: Pod, resource: StarvedResource, signal: AbortSignal): Promise<PodUse> {
    switch (resource) {
      case 'memory':
        return {
          pod,
          used: (await this.statsOf(pod)).memoryWorkingSetBytes,
          ...(await this.memory(pod)),
        };
      case 'pids':
        return { pod, used: (await this.statsOf(pod)).pidsCount, containers: [] };
      case 'ephemeral-storage':
        return await this.disk(pod, ({ bytes }) => bytes, signal);
      case 'inodes':
        return await this.disk(pod, ({ inodes }) => inodes, signal);
    }
  }

  private statsOf(pod: Pod) {
    return this.deps.runtime.sandboxStats(sandboxIdOf(uidOf(pod)));
  }

  private async memory(pod: Pod): Promise<{ readonly containers: readonly ContainerUse[] }> {
    const { runtime } = this.deps;
    const running = runtime
      .containers(sandboxIdOf(uidOf(pod)))
      .filter(({ status }) => status === 'running');
    const uses = running.map(async ({ id, labels }): Promise<ContainerUse> => {
      const name = labels[LABEL.container] ?? '';
      const stats = await runtime.stats(id).catch(() => undefined);
      return { name, used: stats?.memoryWorkingSetBytes };
    });
    return { containers: await Promise.all(uses) };
  }

  /** Writable layers, logs and volumes on disk. */
  private async disk(
    pod: Pod,
    pick: (reading: MeterReading) => readonly number[],
    signal: AbortSignal,
  ): Promise<PodUse> {
    const { spec } = pod;
    const places = this.deps.placesOf(pod);
    const names = [...spec.containers, ...(spec.initContainers ?? [])].map(({ name }) => name);
    const volumes = (spec.volumes ?? []).flatMap(({ name }) => places.volumePath(name) ?? []);
    const parts = [
      ...names.map((name) => ({ paths: places.containerPaths(name) })),
      ...volumes.map((path) => ({ paths: [path] })),
    ];
    const counts = pick(await this.deps.meter.run({ parts }, signal));
    return {
      pod,
      used: counts.reduce((sum, count) => sum + count, 0),
      containers: names.map((name, index) => ({ name, used: counts[index] })),
    };
  }
}

const MEASURE_LIMIT_MS = 20_000;
