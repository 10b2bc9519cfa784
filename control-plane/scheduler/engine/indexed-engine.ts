import { conclude, decide, type Decision } from '../decide';
import type { PodInfo } from '../pod-info';
import { DEFAULT_PROFILE, type Profile } from '../profile';
import type { TrackedView } from '../snapshot';
import { ClassIndex } from './class-index';
import { NodeRing } from './node-ring';
import { classKeyOf, modelOf } from './pod-class';

export interface IndexedEngineDeps {
  readonly cluster: TrackedView;
  /** A class is kept from this pod of it on: most of those that are seen once are not seen again. Default 2. */
  readonly keptFrom?: number;
  /** What all classes that are kept may take up, beyond a few. Default 64 MiB. */
  readonly bytesMax?: number;
  /** Told of what should not have happened; the pod is decided all the same. */
  readonly onFault?: (error: unknown) => void;
}

/**
 * Decides as `decide` does, to the last digit, but keeps what nodes said of pods of the same class. Pods
 * of whom nothing can be kept, and classes not seen before, are decided by `decide` itself.
 */
export class IndexedEngine {
  /** Least recently used first. A number counts the pods of a class that is not kept yet. */
  private readonly classes = new Map<string, ClassIndex | number>();
  private keptCount = 0;
  private ring: NodeRing | undefined;
  private nodesVersion = -1;
  private readonly keptFrom: number;
  private readonly bytesMax: number;

  constructor(private readonly deps: IndexedEngineDeps) {
    this.keptFrom = deps.keptFrom ?? KEPT_FROM;
    this.bytesMax = deps.bytesMax ?? BYTES_MAX;
  }

  decide(pod: PodInfo, seed: number, profile: Profile = DEFAULT_PROFILE): Decision {
    const { cluster } = this.deps;
    const index = this.indexFor(pod, profile);
    return index === undefined
      ? decide(pod, cluster, seed, profile)
      : conclude(pod, index.judgementOf(pod, seed), { cluster, profile });
  }

  /** Classes that are known, whether they are kept yet or not. */
  get classCount(): number {
    return this.classes.size;
  }

  private indexFor(pod: PodInfo, profile: Profile): ClassIndex | undefined {
    const { cluster } = this.deps;
    // A pod that has a place, or is promised one, is judged without itself.
    if (cluster.nodeOf(pod.uid) !== undefined || cluster.nominationOf(pod.uid) !== undefined)
      return undefined;
    const ring = this.currentRing();
    const own = classKeyOf(pod, cluster);
    if (own === undefined) return undefined;
    const key = `${profile.schedulerName} ${own}`;
    try {
      const make = () => new ClassIndex(modelOf(pod), { cluster, profile, ring });
      return this.kept(key, make, ring);
    } catch (error) {
      // What breaks there is told by the plain engine, plugin by plugin.
      this.drop(key);
      this.deps.onFault?.(error);
      return undefined;
    }
  }

  private kept(key: string, make: () => ClassIndex, ring: NodeRing): ClassIndex | undefined {
    const known = this.classes.get(key) ?? 0;
    this.drop(key);
    if (typeof known === 'number' && known + 1 < this.keptFrom) {
      this.keep(key, known + 1, ring);
      return undefined;
    }
    const index = typeof known === 'number' ? make() : known;
    const usable = this.refreshed(index) ?? (index === known ? this.refreshed(make()) : undefined);
    this.keep(key, usable ?? known, ring);
    return usable;
  }

  /** `undefined` where it cannot be asked: not now, or not at all. */
  private refreshed(index: ClassIndex): ClassIndex | undefined {
    // Room that is being made elsewhere may matter to it, and it does not foresee that.
    if (index.isLost || (index.isOfDomains && this.deps.cluster.hasNominations)) return undefined;
    return index.refresh() ? index : undefined;
  }

  /** As the one that was asked for last. */
  private keep(key: string, entry: ClassIndex | number, ring: NodeRing): void {
    this.classes.set(key, entry);
    if (typeof entry !== 'number') this.keptCount++;
    this.makeRoom(ring);
  }

  /** The first is the one that has not been asked for longest. */
  private makeRoom({ length }: NodeRing): void {
    const keptMax = Math.max(
      KEPT_MIN,
      Math.floor(this.bytesMax / (SLOT_BYTES * Math.max(1, length))),
    );
    for (const key of this.classes.keys()) {
      if (this.classes.size <= CLASSES_MAX && this.keptCount <= keptMax) return;
      this.drop(key);
    }
  }

  private drop(key: string): void {
    const entry = this.classes.get(key);
    if (entry !== undefined && typeof entry !== 'number') this.keptCount--;
    this.classes.delete(key);
  }

  /** Nodes that come or go move the others to other slots: then nothing is kept. */
  private currentRing(): NodeRing {
    const { cluster } = this.deps;
    if (this.ring === undefined || this.nodesVersion !== cluster.nodesVersion) {
      this.ring = new NodeRing(cluster.nodes);
      this.nodesVersion = cluster.nodesVersion;
      for (const key of this.classes.keys()) this.classes.set(key, this.keptFrom - 1);
      this.keptCount = 0;
    }
    return this.ring;
  }
}

const KEPT_FROM = 2;
const CLASSES_MAX = 4096;
const KEPT_MIN = 8;
/** Of a node, for a class: two numbers and two versions for each score, its verdict, its place in the tree. */
const SLOT_BYTES = 200;
const BYTES_MAX = 64 * 1024 * 1024;
