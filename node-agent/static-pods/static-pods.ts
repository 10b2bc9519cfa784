import { CONFIG, isMirrorPod } from '../../api/static-pods';
import { nameKey, nameOf, type Pod, uidOf } from '../../api/types';
import { rfc3339, type Clock } from '../../lib/clock';
import { stringifyJson } from '../../lib/json';
import { mirrorOf } from './static-pod';

interface StaticPodsDeps {
  /** By uid; undefined until they are known. */
  readonly pods: () => ReadonlyMap<string, Pod> | undefined;
  /** A static pod has a mirror that it had not, by its own uid. */
  readonly onMirror: (uid: string) => void;
  readonly clock: Clock;
}

/** Which pods of the server only mirror this node's own, and how both are called. */
export class StaticPods {
  /** Uid of a static pod → that of its mirror. */
  private readonly mirrors = new Map<string, string>();
  private readonly owners = new Map<string, string>();
  private readonly seenAt = new Map<string, string>();
  private wake: () => void = () => undefined;
  /** Grows with every change of what the server is to show. */
  version = 0;

  constructor(private readonly deps: StaticPodsDeps) {}

  /** What is to run here: what the server assigns, without mirrors, and the node's own. */
  merged(assigned: ReadonlyMap<string, Pod>): ReadonlyMap<string, Pod> {
    const own = this.deps.pods() ?? new Map<string, Pod>();
    const all = new Map([...assigned].filter(([, pod]) => !isMirrorPod(pod)));
    for (const [uid, pod] of own) all.set(uid, pod);
    this.match(own, [...assigned.values()].filter(isMirrorPod));
    return all;
  }

  /** The static pods have changed. */
  changed(): void {
    const uids = new Set(this.deps.pods()?.keys());
    for (const uid of this.seenAt.keys()) if (!uids.has(uid)) this.seenAt.delete(uid);
    for (const uid of uids)
      if (!this.seenAt.has(uid)) this.seenAt.set(uid, rfc3339(this.deps.clock.now()));
    this.version++;
    this.wake();
  }

  /** What the server is to show, as JSON; undefined while nobody knows. */
  toMirror(): Buffer[] | undefined {
    const pods = this.deps.pods();
    if (pods === undefined) return undefined;
    return [...pods].map(([uid, pod]) =>
      Buffer.from(stringifyJson(mirrorOf(pod, this.seenAt.get(uid) ?? ''))),
    );
  }

  onChanged(listener: () => void): void {
    this.wake = listener;
  }

  /** The uid by which the server knows a pod; undefined: it does not yet. */
  reportedUid(uid: string): string | undefined {
    return this.deps.pods()?.has(uid) === true ? this.mirrors.get(uid) : uid;
  }

  /** The uid by which this node knows a pod of the server. */
  ownUid(uid: string): string {
    return this.owners.get(uid) ?? uid;
  }

  private match(own: ReadonlyMap<string, Pod>, mirrors: readonly Pod[]): void {
    const before = new Map(this.mirrors);
    this.mirrors.clear();
    this.owners.clear();
    for (const mirror of mirrors) {
      const key = nameKey(nameOf(mirror));
      for (const [uid, pod] of own) {
        const hash = pod.metadata.annotations?.[CONFIG.hash];
        if (nameKey(nameOf(pod)) !== key || mirror.metadata.annotations?.[CONFIG.mirror] !== hash)
          continue;
        this.mirrors.set(uid, uidOf(mirror));
        this.owners.set(uidOf(mirror), uid);
      }
    }
    for (const [uid, mirror] of this.mirrors)
      if (before.get(uid) !== mirror) this.deps.onMirror(uid);
  }
}
