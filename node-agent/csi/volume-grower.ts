import { compareQuantities, parseQuantity } from '../../api/quantity';
import {
  uidOf,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
} from '../../api/types';
import { claimOf, isBoundPair } from '../../api/volumes';
import { Alarm } from '../../lib/async/alarm';
import { TaskGroup } from '../../lib/async/task-group';
import type { Clock } from '../../lib/clock';
import { describeError } from '../../lib/log';
import type { EventSink } from '../outbox/event-outbox';
import type { ClaimSource } from '../volumes/claimed-volume';
import type { CsiVolume } from '../volumes/csi-volume';
import type { MountedVolumes } from './mounted-volumes';

export interface VolumeGrowerDeps {
  readonly pods: () => readonly Pod[];
  readonly csiVolumesOf: (pod: Pod) => readonly CsiVolume[];
  readonly claims: ClaimSource;
  readonly volumes: Pick<MountedVolumes, 'grow'>;
  readonly events: EventSink;
  readonly nodeName: string;
  readonly settings: { readonly housekeepingMs: number };
  readonly clock: Clock;
}

export interface GrownVolume {
  /** Of the PersistentVolume. */
  readonly uid: string;
  /** As the volume says it. */
  readonly storage: string;
}

/**
 * Has drivers grow on this node what has grown behind it, and says so for as long as the claim does not
 * know: an answer that is lost is given again, and a driver that fails is asked again.
 * Source: pkg/volume/util/operationexecutor, node_expander.go
 */
export class VolumeGrower {
  /** By uid of the volume. What is as large as it says is not asked for twice. */
  private readonly grown = new Map<string, string>();
  private readonly untold = new Map<string, string>();
  /** Drivers that are being asked, and whether there was more for them meanwhile. */
  private readonly busy = new Map<string, boolean>();
  private readonly alarm: Alarm;
  private announce: () => void = () => undefined;

  constructor(private readonly deps: VolumeGrowerDeps) {
    this.alarm = new Alarm(deps.clock);
  }

  /** The server has told of claims or volumes, or of changes of them. */
  changed(): void {
    this.alarm.wake();
  }

  onGrown(listener: () => void): void {
    this.announce = listener;
  }

  /** At most so many; each is told once a round. */
  takeGrown(countMax: number): readonly GrownVolume[] {
    const taken = [...this.untold].slice(0, countMax);
    for (const [uid] of taken) this.untold.delete(uid);
    return taken.map(([uid, storage]) => ({ uid, storage }));
  }

  async run(signal: AbortSignal): Promise<void> {
    const { settings } = this.deps;
    await using tasks = new TaskGroup(signal);
    while (!signal.aborted) {
      // What is told of while this works is looked at as well.
      const { wakes } = this.alarm;
      this.look(tasks);
      await this.alarm.sleep(settings.housekeepingMs, signal, wakes);
    }
  }

  /** A driver is asked for one volume after the other, and keeps no other driver waiting. */
  private look(tasks: TaskGroup): void {
    const due = this.deps.pods().flatMap((pod) => this.dueOf(pod));
    const uids = new Set(due.map(({ volume }) => uidOf(volume.volume)));
    for (const uid of this.grown.keys()) if (!uids.has(uid)) this.grown.delete(uid);
    for (const driver of new Set(due.map(driverOf))) {
      if (this.busy.has(driver)) this.busy.set(driver, true);
      else {
        const own = due.filter((each) => driverOf(each) === driver);
        tasks.run((signal) => this.growAll(driver, own, signal));
      }
    }
  }

  private dueOf(pod: Pod): readonly Growth[] {
    return this.volumesOf(pod).flatMap((volume): readonly Growth[] => {
      if (!('volume' in volume) || volume.isReadOnly) return [];
      const { namespace = '', name = '' } = claimOf(volume.volume) ?? {};
      const claim = this.deps.claims.claim(namespace, name);
      const storage = claim && growthDue(volume.volume, claim);
      return claim === undefined || storage === undefined ? [] : [{ pod, volume, claim, storage }];
    });
  }

  private async growAll(
    driver: string,
    works: readonly Growth[],
    signal: AbortSignal,
  ): Promise<void> {
    this.busy.set(driver, false);
    for (const work of works) if (!signal.aborted) await this.grow(work, signal);
    const isMore = this.busy.get(driver) === true;
    this.busy.delete(driver);
    if (isMore) this.alarm.wake();
  }

  private volumesOf(pod: Pod): readonly CsiVolume[] {
    try {
      return this.deps.csiVolumesOf(pod);
    } catch {
      // What cannot be mounted is said where it is to be mounted.
      return [];
    }
  }

  private async grow(work: Growth, signal: AbortSignal): Promise<void> {
    const { pod, volume, claim, storage } = work;
    const { volumes, events, nodeName } = this.deps;
    const uid = uidOf(volume.volume);
    const { name } = volume.volume.metadata;
    try {
      if (this.grown.get(uid) !== storage) {
        if (!(await volumes.grow(pod, volume, storage, signal))) return;
        this.grown.set(uid, storage);
        const message = `MountVolume.NodeExpandVolume succeeded for volume "${name}" ${nodeName}`;
        for (const object of [pod, claim])
          events.emit(object, { type: 'Normal', reason: 'FileSystemResizeSuccessful', message });
      }
      this.untold.set(uid, storage);
      this.announce();
    } catch (error) {
      if (signal.aborted) return;
      const message = `NodeExpandVolume.NodeExpandVolume failed for volume "${name}" : ${describeError(error)}`;
      for (const object of [pod, claim])
        events.emit(object, { type: 'Warning', reason: 'VolumeResizeFailed', message });
    }
  }
}

interface Growth {
  readonly pod: Pod;
  readonly volume: CsiVolume & { readonly volume: PersistentVolume };
  readonly claim: PersistentVolumeClaim;
  readonly storage: string;
}

const driverOf = ({ volume }: Growth): string => volume.volume.spec?.csi?.driver ?? '';

/** Pure: how large the volume is by now, where its claim does not know. */
export const growthDue = (
  volume: PersistentVolume,
  claim: PersistentVolumeClaim,
): string | undefined => {
  const { capacity, phase } = claim.status ?? {};
  const [storage, known] = [volume.spec?.capacity?.['storage'], capacity?.['storage']];
  if (phase !== 'Bound' || storage === undefined || known === undefined) return undefined;
  return isBoundPair(volume, claim) &&
    compareQuantities(parseQuantity(storage), parseQuantity(known)) > 0
    ? storage
    : undefined;
};
