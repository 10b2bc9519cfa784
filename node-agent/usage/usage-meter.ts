import { randomUUID } from 'node:crypto';

import { TimeSlice } from '../../lib/async/time-slice';
import type { Clock } from '../../lib/clock';
import { stringifyJson } from '../../lib/json';
import type { ContainerRuntime, ContainerState, Sandbox } from '../../runtime/container-runtime';
import { LABEL } from '../inventory/labels';
import type { DiskMeter, DiskSubject, MeasuredDisks } from './disk-meter';
import { fileSystemFigures, type MeasuredVolume, type VolumeMeter } from './volume-meter';
import { summaryOf, type MeasuredContainer, type MeasuredNode, type MeasuredPod } from './summary';

export interface UsageReport {
  /** Names the clock of `monotonicMs`. */
  readonly clockId: string;
  readonly monotonicMs: number;
  /** JSON as of the kubelet's `stats/summary`. */
  readonly summary: Uint8Array;
}

/** All that has been read at one time, by the wall clock. */
export interface Measurement {
  readonly atMs: number;
  readonly node: MeasuredNode;
  readonly containers: readonly MeasuredContainer[];
}

export interface UsageMeterDeps {
  readonly runtime: Pick<
    ContainerRuntime,
    'containers' | 'sandboxes' | 'stats' | 'sandboxStats' | 'hostStats'
  >;
  readonly node: Omit<MeasuredNode, 'stats'>;
  readonly volumes: Pick<VolumeMeter, 'measure'>;
  readonly disks: Pick<DiskMeter, 'measure'>;
  /** Where a container's files are; undefined where that is known no more. */
  readonly filesOf: (container: MeasuredContainer) => Omit<DiskSubject, 'id'> | undefined;
  /** On the file system that holds what containers write. */
  readonly stateDir: string;
  readonly clock: Clock;
}

/** Reads what everything on this node has used, when somebody asks: nothing is counted meanwhile. */
export class UsageMeter {
  private readonly clockId = randomUUID();

  constructor(private readonly deps: UsageMeterDeps) {}

  async report(): Promise<UsageReport> {
    const monotonicMs = this.deps.clock.monotonicMs();
    const { node, containers, atMs } = await this.measure();
    const [volumes, disks] = await Promise.all([this.volumes(), this.disks(containers)]);
    const measured = { node, containers, volumes, disks };
    const summary = Buffer.from(stringifyJson(summaryOf(measured, atMs)));
    return { clockId: this.clockId, monotonicMs, summary };
  }

  /** The node and the containers that run. */
  async measure(): Promise<Measurement> {
    const { runtime, clock, node } = this.deps;
    const atMs = clock.now();
    const stats = await runtime.hostStats();
    const containers = await this.each(runtime.containers(), (state) => this.container(state));
    return { atMs, node: { ...node, stats }, containers };
  }

  /** Those behind claims. */
  volumes(): Promise<readonly MeasuredVolume[]> {
    return this.deps.volumes.measure();
  }

  /** What these containers have written, and what the file system has room for. */
  async disks(containers: readonly MeasuredContainer[]): Promise<MeasuredDisks> {
    const { disks, filesOf, stateDir } = this.deps;
    const subjects = containers.flatMap((container): readonly DiskSubject[] => {
      const files = filesOf(container);
      return files === undefined ? [] : [{ id: container.id, ...files }];
    });
    const fileSystem = await fileSystemFigures(stateDir).catch(() => undefined);
    const byId = await disks.measure(subjects);
    return { byId, ...(fileSystem === undefined ? {} : { fileSystem }) };
  }

  pods(): Promise<readonly MeasuredPod[]> {
    return this.each(this.deps.runtime.sandboxes(), (sandbox) => this.pod(sandbox));
  }

  /** What could be read; what has been removed since it was listed cannot. */
  private async each<T, M>(
    all: readonly T[],
    read: (one: T) => Promise<M | undefined>,
  ): Promise<readonly M[]> {
    const found: M[] = [];
    const slice = new TimeSlice(this.deps.clock);
    for (const one of all) {
      const measured = await read(one).catch(() => undefined);
      if (measured !== undefined) found.push(measured);
      if (slice.isOver) await slice.turn();
    }
    return found;
  }

  private async container(state: ContainerState): Promise<MeasuredContainer | undefined> {
    const { id, sandboxId, status, labels } = state;
    if (status !== 'running') return undefined;
    return {
      ...{ id, sandboxId, image: labels[LABEL.image] ?? '' },
      namespace: labels[LABEL.namespace] ?? '',
      podName: labels[LABEL.podName] ?? '',
      podUid: labels[LABEL.uid] ?? '',
      name: labels[LABEL.container] ?? '',
      startedAtMs: state.startedAtMs,
      stats: await this.deps.runtime.stats(id),
    };
  }

  private async pod({ id, labels }: Sandbox): Promise<MeasuredPod> {
    return {
      namespace: labels[LABEL.namespace] ?? '',
      podName: labels[LABEL.podName] ?? '',
      stats: await this.deps.runtime.sandboxStats(id),
    };
  }
}
