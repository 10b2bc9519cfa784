import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

import { type Pod, uidOf } from '../../api/types';
import { uniqueVolumeName } from '../../api/volumes';
import { Turns } from '../../lib/async/turns';
import type { Clock } from '../../lib/clock';
import { stringifyJson } from '../../lib/json';
import { describeError, type Log } from '../../lib/log';
import type { NodePublishVolumeRequest } from '../../proto/gen/csi/v1/node';
import type { CsiVolume } from '../volumes/csi-volume';
import type { Mounter } from '../volumes/mounter';
import { VolumeError } from '../volumes/volume-error';
import { NotYetError } from '../volumes/volume-content';
import { Capability, type CsiDriver } from './csi-driver';
import { CsiRecords, type CsiRecord } from './csi-records';
import { giveToGroup } from './group-owner';
import {
  capabilityOf,
  checkMode,
  driverNameOf,
  givesToGroup,
  handleOf,
  isDevice,
  publishContextOf,
  secretsFor,
  sourceOf,
  specNameOf,
  volumeContextOf,
  type RequestSource,
} from './requests';

export interface CsiVolumesDeps {
  readonly stateDir: string;
  readonly bootId: string;
  readonly mounter: Pick<Mounter, 'isMounted' | 'unmountAll'>;
  /** @throws Error while it is not registered */
  readonly driver: (name: string) => CsiDriver;
  /** What the node knows beside its pods. */
  readonly source: Omit<RequestSource, 'pod'>;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * The volumes that drivers provide. What is asked of a driver is written down before: whenever the agent
 * dies, the next one asks again, or takes back, what may have been done. Source: pkg/volume/csi
 */
export class CsiVolumes {
  private readonly records: CsiRecords;
  /** One step at a time for each volume, whichever pods have it. */
  private readonly turns = new Turns();
  /** By path: what the driver was told last, and when (monotonic). */
  private readonly published = new Map<string, { readonly told: string; readonly atMs: number }>();

  constructor(private readonly deps: CsiVolumesDeps) {
    this.records = new CsiRecords(deps.stateDir, deps.bootId);
  }

  /** By name of the volume, where it is. Idempotent. @throws VolumeError, NotYetError */
  async prepare(
    pod: Pod,
    volumes: readonly CsiVolume[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, string>> {
    const source = { ...this.deps.source, pod };
    const paths = new Map<string, string>();
    for (const volume of volumes) {
      try {
        paths.set(volume.name, await this.prepareOne(volume, source, signal));
      } catch (error) {
        if (error instanceof NotYetError || signal.aborted) throw error;
        throw new VolumeError(specNameOf(volume), error, isDevice(volume));
      }
    }
    return paths;
  }

  /** Has drivers take back all that the pod has of them. Idempotent. @throws while one cannot */
  async release(podUid: string, signal: AbortSignal): Promise<void> {
    for (const specName of this.records.volumesOf(podUid)) {
      const record = this.records.ofPod(podUid, specName);
      if (record === undefined) await this.records.forgetPod(podUid, specName);
      else
        await this.turns.take(
          keyOf(record),
          () => this.releaseOne(podUid, specName, record, signal),
          signal,
        );
    }
  }

  /** As the server is told: names of the volumes that pods of the node have. */
  inUse(podUids: Iterable<string>): readonly string[] {
    const names = new Set<string>();
    for (const uid of podUids)
      for (const specName of this.records.volumesOf(uid)) {
        const record = this.records.readable(uid, specName);
        if (record !== 'damaged' && record?.volumeLifecycleMode === 'Persistent')
          names.add(uniqueVolumeName(record.driverName, record.volumeHandle));
      }
    return [...names].sort();
  }

  /** Does something about a volume of the pod while it stays mounted; undefined where it is not. */
  withMounted<T>(
    { pod, volume }: { readonly pod: Pod; readonly volume: CsiVolume },
    work: (mounted: MountedVolume) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T | undefined> {
    const { records, deps } = this;
    const [podUid, specName] = [uidOf(pod), specNameOf(volume)];
    const record = recordOf(pod, volume);
    const volumePath = records.targetPath(podUid, specName, record);
    return this.turns.take(
      keyOf(record),
      async () => {
        if (!records.isReady(podUid, specName) || !this.isShown(record, volumePath))
          return undefined;
        const stagingTargetPath = records.isStaged(record) ? records.stagePath(record) : '';
        const driver = deps.driver(record.driverName);
        return await work({ driver, volumeId: record.volumeHandle, volumePath, stagingTargetPath });
      },
      signal,
    );
  }

  private async prepareOne(
    volume: CsiVolume,
    source: RequestSource,
    signal: AbortSignal,
  ): Promise<string> {
    const { pod } = source;
    const record = recordOf(pod, volume);
    const target = this.records.targetPath(uidOf(pod), specNameOf(volume), record);
    await this.turns.take(
      keyOf(record),
      () => this.publishOne({ volume, source, record, target }, signal),
      signal,
    );
    return target;
  }

  private async publishOne(work: Work, signal: AbortSignal): Promise<void> {
    const { volume, source, record, target } = work;
    const podUid = uidOf(source.pod);
    const isReady =
      this.records.isReady(podUid, specNameOf(volume)) && this.isShown(record, target);
    const isToldAgain =
      source.csi.csiDriver(driverNameOf(volume))?.spec?.requiresRepublish === true;
    if (isReady && !isToldAgain) return;
    try {
      await this.publishNow(work, isReady, signal);
    } catch (error) {
      if (!isReady) throw error;
      // It goes on with what it has.
      this.deps.log.warn({ volume: target, err: describeError(error) }, 'volume not republished');
    }
  }

  private async publishNow(work: Work, isReady: boolean, signal: AbortSignal): Promise<void> {
    const { volume, source, record, target } = work;
    const { deps, records } = this;
    const { pod, csi } = source;
    const podUid = uidOf(pod);
    const specName = specNameOf(volume);
    const object = csi.csiDriver(record.driverName);
    checkMode(volume, object);
    const publishContext = publishContextOf(volume, source);
    const { context: volumeContext, tokens } = volumeContextOf(volume, source);
    const secrets = { ...secretsFor('NodePublish', volume, source), ...tokens };
    const stageSecrets = secretsFor('NodeStage', volume, source);
    const driver = deps.driver(record.driverName);
    const can = await driver.capabilities(signal);
    const groupId = pod.spec.securityContext?.fsGroup;
    const volumeCapability = capabilityOf(volume, can, groupId);
    const isStaged = 'volume' in volume && can.has(Capability.STAGE_UNSTAGE_VOLUME);
    const request: NodePublishVolumeRequest = {
      volumeId: record.volumeHandle,
      publishContext,
      stagingTargetPath: isStaged ? records.stagePath(record) : '',
      targetPath: target,
      volumeCapability,
      readonly: 'inline' in volume ? volume.inline.readOnly === true : volume.isReadOnly,
      secrets,
      volumeContext,
    };
    if (isReady && !this.isDue(request)) return;
    if (isStaged) records.checkStage(record, podUid);
    records.notePod(podUid, specName, record);
    if (isStaged && !records.isStaged(record)) {
      await records.makeStage(record);
      await driver.stage(
        {
          volumeId: record.volumeHandle,
          publishContext,
          stagingTargetPath: records.stagePath(record),
          volumeCapability,
          secrets: stageSecrets,
          volumeContext: { ...sourceOf(volume).volumeAttributes },
        },
        signal,
      );
      records.noteStaged(record);
    }
    mkdirSync(dirname(target), { recursive: true, mode: 0o750 });
    if (isReady || !this.isShown(record, target)) await driver.publish(request, signal);
    if (isDevice(volume) && !this.isShown(record, target))
      throw new Error(`the driver has made no block device at ${target}`);
    const atMs = deps.clock.monotonicMs();
    this.published.set(target, { told: stringifyJson(request), atMs });
    if (isReady) return;
    if (
      groupId !== undefined &&
      !isDevice(volume) &&
      !can.has(Capability.VOLUME_MOUNT_GROUP) &&
      !request.readonly &&
      givesToGroup(volume, object)
    )
      await giveToGroup(target, groupId, signal);
    records.noteReady(podUid, specName);
  }

  /** Is a driver that wants to be told again to be told again now? */
  private isDue(request: NodePublishVolumeRequest): boolean {
    const last = this.published.get(request.targetPath);
    return (
      last?.told !== stringifyJson(request) ||
      this.deps.clock.monotonicMs() - last.atMs >= REPUBLISH_MS
    );
  }

  private async releaseOne(
    podUid: string,
    specName: string,
    record: CsiRecord,
    signal: AbortSignal,
  ): Promise<void> {
    const { records } = this;
    const { mounter } = this.deps;
    const volumeId = record.volumeHandle;
    const targetPath = records.targetPath(podUid, specName, record);
    const driver = this.deps.driver(record.driverName);
    records.noteUnready(podUid, specName);
    await driver.unpublish({ volumeId, targetPath }, signal);
    // What the driver has left there must not be deleted with the folder.
    mounter.unmountAll(targetPath);
    this.published.delete(targetPath);
    if (records.hasStage(record) && !records.isUsedByOther(record, podUid)) {
      const stagingTargetPath = records.stagePath(record);
      records.noteUnstaged(record);
      await driver.unstage({ volumeId, stagingTargetPath }, signal);
      mounter.unmountAll(stagingTargetPath);
      await records.forgetStage(record);
    }
    await records.forgetPod(podUid, specName, record);
  }

  /** Is the volume where the pod is to see it? */
  private isShown({ blockOf }: CsiRecord, target: string): boolean {
    return blockOf === undefined
      ? this.deps.mounter.isMounted(target)
      : statSync(target, { throwIfNoEntry: false })?.isBlockDevice() === true;
  }
}

interface Work {
  readonly volume: CsiVolume;
  readonly source: RequestSource;
  readonly record: CsiRecord;
  readonly target: string;
}

/** Where a driver finds what it has mounted. */
export interface MountedVolume {
  readonly driver: CsiDriver;
  readonly volumeId: string;
  readonly volumePath: string;
  /** `''`: it is not staged. */
  readonly stagingTargetPath: string;
}

const recordOf = (pod: Pod, volume: CsiVolume): CsiRecord => ({
  driverName: driverNameOf(volume),
  volumeHandle: handleOf(pod, volume),
  volumeLifecycleMode: 'inline' in volume ? 'Ephemeral' : 'Persistent',
  ...(isDevice(volume) ? { blockOf: specNameOf(volume) } : {}),
});

const keyOf = ({ driverName, volumeHandle }: CsiRecord): string => `${driverName}^${volumeHandle}`;

/** How often a driver is told again that wants to be. */
const REPUBLISH_MS = 90_000;
