import { type PersistentVolume, uidOf } from '../../api/types';
import { Alarm } from '../../lib/async/alarm';
import type { Clock } from '../../lib/clock';
import { describeError, type Log } from '../../lib/log';
import { isDoomed, type VolumeFolders } from './volume-folders';

export interface FolderRemoverDeps {
  readonly folders: VolumeFolders;
  /** All that the server tells this node of. */
  readonly volumes: () => readonly PersistentVolume[];
  readonly settings: { readonly housekeepingMs: number };
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Removes the folders of volumes that are being deleted, and says so for as long as the server tells
 * of them: an answer that is lost is given again.
 */
export class FolderRemover {
  private readonly removed = new Set<string>();
  private readonly alarm: Alarm;
  private announce: () => void = () => undefined;

  constructor(private readonly deps: FolderRemoverDeps) {
    this.alarm = new Alarm(deps.clock);
  }

  /** The server has told of volumes, or of changes of them. */
  changed(): void {
    this.alarm.wake();
  }

  onRemoved(listener: () => void): void {
    this.announce = listener;
  }

  /** Uids of the volumes whose folders are gone, at most so many; each is told once a round. */
  takeRemoved(countMax: number): readonly string[] {
    const taken = [...this.removed].slice(0, countMax);
    for (const uid of taken) this.removed.delete(uid);
    return taken;
  }

  /** Works until `signal` aborts; `mayRemove` once what the server wants is known. */
  async run(mayRemove: () => boolean, signal: AbortSignal): Promise<void> {
    const { settings } = this.deps;
    while (!signal.aborted) {
      // What is told of while this works is looked at as well.
      const { wakes } = this.alarm;
      if (mayRemove()) await this.removeAll(signal);
      await this.alarm.sleep(settings.housekeepingMs, signal, wakes);
    }
  }

  private async removeAll(signal: AbortSignal): Promise<void> {
    const { folders, volumes, log } = this.deps;
    for (const volume of volumes().filter(isDoomed)) {
      if (signal.aborted) return;
      try {
        await folders.remove(uidOf(volume));
        this.removed.add(uidOf(volume));
      } catch (error) {
        // One that is in use, or written to meanwhile, keeps no other waiting.
        const { name } = volume.metadata;
        log.warn({ volume: name, err: describeError(error) }, 'volume cannot be removed yet');
      }
    }
    if (this.removed.size > 0) this.announce();
  }
}
