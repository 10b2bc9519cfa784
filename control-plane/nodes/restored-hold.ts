import { rm } from 'node:fs/promises';

import { nodeIdentityOf } from '../../api/node-identity';
import type { Node } from '../../api/types';
import { hasOneWriter, withHold } from '../../api/volume-hold';
import type { PersistentVolume } from '../../api/types';
import { describeError, type Log } from '../../lib/log';
import type { ObjectView } from './deps';

export interface RestoredHoldDeps {
  /** Left by a restore: there until the hold is over. Undefined: nothing was restored. */
  readonly file: string | undefined;
  readonly nodes: Pick<ObjectView<Node>, 'list' | 'subscribe'>;
  readonly log: Log;
}

/**
 * After a restore nobody knows what nodes do that have not come back: a pod that the snapshot does not know may write to
 * a volume that another pod is to get now. Until each node that the snapshot knows has come back, or has been deleted,
 * no pod begins to use a volume that several nodes can reach and one alone may write to.
 */
export class RestoredHold implements Disposable {
  private readonly seen = new Set<string>();
  private isOver: boolean;
  private listener: () => void = () => undefined;
  private readonly undo: () => void;

  constructor(private readonly deps: RestoredHoldDeps) {
    this.isOver = deps.file === undefined;
    this.undo = this.isOver
      ? () => undefined
      : deps.nodes.subscribe({ onDelete: () => this.look() });
  }

  [Symbol.dispose](): void {
    this.undo();
  }

  /** Called whenever a node comes back, or goes, that volumes were held for. */
  onChange(listener: () => void): void {
    this.listener = listener;
  }

  /** The agent of a node has a session: what it should not run it has been told. */
  noteSeen(nodeName: string): void {
    if (this.isOver || this.seen.has(nodeName)) return;
    this.seen.add(nodeName);
    this.look();
  }

  /** The volume as an agent is to be told of it. */
  shown(volume: PersistentVolume): PersistentVolume {
    if (this.isOver || !hasOneWriter(volume)) return volume;
    const missing = this.missing();
    if (missing.length === 0) return volume;
    return withHold(
      volume,
      `the cluster was restored, and what else writes to this volume is not known until these nodes are back, or deleted (dhow delete node): ${missing.join(', ')}`,
    );
  }

  private missing(): readonly string[] {
    return [...this.deps.nodes.list()]
      .filter((node) => nodeIdentityOf(node) !== undefined && !this.seen.has(node.metadata.name))
      .map(({ metadata }) => metadata.name)
      .sort();
  }

  private look(): void {
    if (this.isOver) return;
    const { file, log } = this.deps;
    const missing = this.missing();
    if (missing.length === 0) {
      this.isOver = true;
      log.info({}, 'all nodes are back after the restore: volumes are held no more');
      if (file !== undefined)
        // At worst the hold begins anew with the next start, until all nodes have connected.
        void rm(file, { force: true }).catch((error: unknown) =>
          log.warn({ err: describeError(error) }, 'the mark of the restore stays'),
        );
    } else {
      log.warn({ missing }, 'restored: volumes of one writer wait for nodes');
    }
    this.listener();
  }
}
