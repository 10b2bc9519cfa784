import { ROW } from '../../api/assignment-rows';
import { hasReason } from '../../api/errors';
import { PERSISTENT_VOLUMES } from '../../api/resources';
import {
  nameKey,
  nameOf,
  uidOf,
  type PersistentVolume,
  type PersistentVolumeClaim,
} from '../../api/types';
import { claimOf, FOLDER_FINALIZER, VOLUME_NODE } from '../../api/volumes';
import type { ApiClient } from '../../client/api-client';
import type { Log } from '../../lib/log';
import type { ObjectView } from './deps';
import { withConflictRetry } from './node-registrar';
import type { PodIndex } from './pod-index';
import { referencesOf } from './pod-references';
import type { RestoredHold } from './restored-hold';
import { KeyedListeners } from '../../lib/keyed-listeners';

interface NodeVolumesDeps {
  readonly client: ApiClient;
  readonly log: Log;
  readonly volumes: ObjectView<PersistentVolume>;
  readonly claims: Pick<ObjectView<PersistentVolumeClaim>, 'get'>;
  readonly podIndex: Pick<PodIndex, 'podsOn' | 'usersOf'>;
  /** Default: nothing is held. */
  readonly hold?: Pick<RestoredHold, 'shown'>;
}

/**
 * The volumes that concern each node: those behind the claims of its pods, and those whose folders it
 * keeps, which are its to remove in the end.
 */
export class NodeVolumes implements Disposable {
  private readonly kept = new Map<string, Map<string, PersistentVolume>>();
  private readonly listeners = new KeyedListeners();
  private readonly undo: () => void;

  constructor(private readonly deps: NodeVolumesDeps) {
    this.undo = deps.volumes.subscribe({
      onAdd: (volume) => this.note(undefined, volume),
      onUpdate: (volume, previous) => this.note(previous, volume),
      onDelete: (volume) => this.note(volume, undefined),
    });
  }

  [Symbol.dispose](): void {
    this.undo();
  }

  volumesOf(nodeName: string): readonly PersistentVolume[] {
    const { podIndex, claims, volumes } = this.deps;
    const keys = new Set(podIndex.podsOn(nodeName).flatMap((pod) => referencesOf(pod)[ROW.claims]));
    const used = [...keys].flatMap((key) => {
      const name = claims.get(key)?.spec?.volumeName ?? '';
      return volumes.get(name) ?? [];
    });
    const kept = this.kept.get(nodeName)?.values() ?? [];
    const all = [...new Map([...kept, ...used].map((volume) => [uidOf(volume), volume])).values()];
    const { hold } = this.deps;
    return hold === undefined ? all : all.map((volume) => hold.shown(volume));
  }

  /** What is told of the volumes of these nodes is another now. */
  changedFor(nodeNames: Iterable<string>): void {
    for (const name of nodeNames) this.listeners.tell(name);
  }

  /** Calls `listener` when a volume changes that may concern the node; returns the undo. */
  onChange(nodeName: string, listener: () => void): () => void {
    return this.listeners.add(nodeName, listener);
  }

  /**
   * The node has removed the folders of these volumes: those that were waiting for it may go. What is
   * not the node's, or not being deleted, stays; the agent says it again while it is told of them.
   */
  async foldersRemoved(
    nodeName: string,
    uids: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    const named = new Set(uids.slice(0, UIDS_MAX));
    const gone = [...(this.kept.get(nodeName)?.values() ?? [])].filter((each) =>
      named.has(uidOf(each)),
    );
    for (const volume of gone) await this.letGo(volume, nodeName, signal);
  }

  private async letGo(
    first: PersistentVolume,
    nodeName: string,
    signal: AbortSignal,
  ): Promise<void> {
    const { client, log } = this.deps;
    try {
      await withConflictRetry(
        first,
        () => client.get(PERSISTENT_VOLUMES, nameOf(first), signal),
        async (volume) => {
          const { finalizers = [], deletionTimestamp } = volume.metadata;
          const isOurs = uidOf(volume) === uidOf(first) && nodeOf(volume) === nodeName;
          if (!isOurs || deletionTimestamp === undefined) return volume;
          if (!finalizers.includes(FOLDER_FINALIZER)) return volume;
          const left = finalizers.filter((each) => each !== FOLDER_FINALIZER);
          const next = { ...volume, metadata: { ...volume.metadata, finalizers: left } };
          return client.update(PERSISTENT_VOLUMES, next, {}, signal);
        },
      );
    } catch (error) {
      if (signal.aborted) throw error;
      const gone = hasReason(error, 'NotFound');
      if (!gone) log.debug({ volume: first.metadata.name, err: error }, 'volume not let go yet');
    }
  }

  private note(before: PersistentVolume | undefined, after: PersistentVolume | undefined): void {
    const nodes = new Set([before, after].flatMap((each) => this.nodesOf(each)));
    if (before !== undefined) this.kept.get(nodeOf(before))?.delete(before.metadata.name);
    const node = after === undefined ? '' : nodeOf(after);
    if (after !== undefined && node !== '') {
      const kept = this.kept.get(node) ?? new Map<string, PersistentVolume>();
      this.kept.set(node, kept.set(after.metadata.name, after));
    }
    for (const name of nodes) this.listeners.tell(name);
  }

  private nodesOf(volume: PersistentVolume | undefined): readonly string[] {
    if (volume === undefined) return [];
    const claim = claimOf(volume);
    const users = claim === undefined ? [] : this.deps.podIndex.usersOf(ROW.claims, nameKey(claim));
    return [nodeOf(volume), ...users];
  }
}

/** `''` where no node keeps it. */
const nodeOf = ({ metadata }: PersistentVolume): string =>
  metadata.annotations?.[VOLUME_NODE] ?? '';

/** More than a node removes between two messages. */
const UIDS_MAX = 1_000;
