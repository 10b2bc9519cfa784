import { statfs } from 'node:fs/promises';

import { uidOf, type PersistentVolume, type Pod } from '../../api/types';
import { claimNameOf, isBoundPair } from '../../api/volumes';
import { withDeadline } from '../../lib/async/deadline';
import { SingleFlight } from '../../lib/async/single-flight';
import type { Clock } from '../../lib/clock';
import type { EventSink } from '../outbox/event-outbox';
import type { CsiVolume } from '../volumes/csi-volume';
import type { ClaimSource } from '../volumes/claimed-volume';
import type { VolumeFigures } from '../volumes/volume-figures';

/** A volume behind a claim, as a pod has it. */
export interface MeasuredVolume extends VolumeFigures {
  readonly podUid: string;
  /** In the pod. */
  readonly name: string;
  readonly namespace: string;
  readonly claimName: string;
  readonly atMs: number;
}

export interface VolumeMeterDeps {
  readonly pods: () => readonly Pod[];
  readonly claims: ClaimSource;
  /** Where a volume lies on this node that no driver provides; undefined where it is not counted. */
  readonly folderOf: (volume: PersistentVolume) => string | undefined;
  readonly csiFigures: (
    pod: Pod,
    volume: CsiVolume,
    signal: AbortSignal,
  ) => Promise<VolumeFigures | undefined>;
  /** Of the file system that a folder is part of. Default: as the kernel says. */
  readonly fileSystem?: (folder: string) => Promise<VolumeFigures>;
  readonly events: EventSink;
  readonly clock: Clock;
}

/**
 * Reads how full the volumes behind claims are when somebody asks, and not more often than once a minute:
 * drivers may take their time. What does not answer soon is left out.
 */
export class VolumeMeter {
  private last:
    { readonly atMs: number; readonly volumes: Promise<readonly MeasuredVolume[]> } | undefined;
  /** By folder. One that hangs holds a thread until it answers: it is asked by no second one. */
  private readonly fileSystems = new SingleFlight<string, VolumeFigures>();
  /** By pod and volume: what was said of it, so that it is said once. */
  private abnormal = new Map<string, string>();

  constructor(private readonly deps: VolumeMeterDeps) {}

  measure(): Promise<readonly MeasuredVolume[]> {
    const nowMs = this.deps.clock.monotonicMs();
    if (this.last === undefined || nowMs - this.last.atMs >= FRESH_MS)
      this.last = { atMs: nowMs, volumes: this.measureAll() };
    return this.last.volumes;
  }

  private async measureAll(): Promise<readonly MeasuredVolume[]> {
    const orders = this.deps
      .pods()
      .flatMap((pod) => this.ordersOf(pod))
      .slice(0, VOLUMES_MAX);
    const found = await Promise.all(orders.map((order) => this.measureOne(order)));
    this.tellAbnormal(orders, found);
    return found.flatMap((each) => each ?? []);
  }

  private ordersOf(pod: Pod): readonly Order[] {
    const { namespace = '' } = pod.metadata;
    return (pod.spec.volumes ?? []).flatMap((each): readonly Order[] => {
      const claimName = claimNameOf(pod, each);
      const claim = claimName && this.deps.claims.claim(namespace, claimName);
      const volume = claim && this.deps.claims.volume(claim.spec?.volumeName ?? '');
      return claimName !== undefined && claim && volume && isBoundPair(volume, claim)
        ? [{ pod, name: each.name, claimName, volume }]
        : [];
    });
  }

  private async measureOne({
    pod,
    name,
    claimName,
    volume,
  }: Order): Promise<MeasuredVolume | undefined> {
    const { clock } = this.deps;
    const limit = { what: `the figures of volume "${name}"`, limitMs: LIMIT_MS, clock };
    const figures = await withDeadline(limit, (signal) =>
      this.figuresOf(pod, name, volume, signal),
    ).catch(() => undefined);
    if (figures === undefined) return undefined;
    const { namespace = '' } = pod.metadata;
    return { podUid: uidOf(pod), name, namespace, claimName, atMs: clock.now(), ...figures };
  }

  private async figuresOf(
    pod: Pod,
    name: string,
    volume: PersistentVolume,
    signal: AbortSignal,
  ): Promise<VolumeFigures | undefined> {
    const { folderOf, csiFigures, fileSystem = fileSystemFigures } = this.deps;
    if (volume.spec?.csi !== undefined)
      return csiFigures(pod, { name, volume, isReadOnly: false }, signal);
    const folder = folderOf(volume);
    return folder === undefined
      ? undefined
      : this.fileSystems.run(folder, () => fileSystem(folder));
  }

  private tellAbnormal(
    orders: readonly Order[],
    found: readonly (MeasuredVolume | undefined)[],
  ): void {
    const now = new Map<string, string>();
    for (const [index, { pod, name }] of orders.entries()) {
      const { condition } = found[index] ?? {};
      if (condition?.abnormal !== true) continue;
      const key = `${uidOf(pod)}/${name}`;
      const message = `Volume ${name}: ${condition.message}`;
      now.set(key, message);
      if (this.abnormal.get(key) !== message)
        this.deps.events.emit(pod, { type: 'Warning', reason: 'VolumeConditionAbnormal', message });
    }
    this.abnormal = now;
  }
}

interface Order {
  readonly pod: Pod;
  readonly name: string;
  readonly claimName: string;
  readonly volume: PersistentVolume;
}

/** Of the whole file system that it is part of, as upstream. Source: pkg/volume, NewMetricsStatFS */
export const fileSystemFigures = async (folder: string): Promise<VolumeFigures> => {
  const { bsize, blocks, bfree, bavail, files, ffree } = await statfs(folder);
  return {
    availableBytes: bavail * bsize,
    capacityBytes: blocks * bsize,
    usedBytes: (blocks - bfree) * bsize,
    inodesFree: ffree,
    inodes: files,
    inodesUsed: files - ffree,
  };
};

/** The kubelet's volumeStatsAggPeriod. */
const FRESH_MS = 60_000;
const LIMIT_MS = 5_000;
/** More than a node has. */
const VOLUMES_MAX = 1_000;
