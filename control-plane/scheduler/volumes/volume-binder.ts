import { PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES } from '../../../api/resources';
import type { Node, PersistentVolume, PersistentVolumeClaim, Pod } from '../../../api/types';
import { annotated, isKeptFor, isReachable, keptFor, SELECTED_NODE } from '../../../api/volumes';
import type { ApiClient } from '../../../client/api-client';
import type { Informer } from '../../../client/informer';
import { linkedController } from '../../../lib/async/linked-controller';
import type { Clock } from '../../../lib/clock';
import { describeError } from '../../../lib/log';
import { isBound, type VolumePromise } from './volume-view';

type View<T extends PersistentVolume | PersistentVolumeClaim> = Pick<
  Informer<T>,
  'get' | 'noteWritten'
>;

export interface VolumeBinderDeps {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly claims: View<PersistentVolumeClaim>;
  readonly volumes: View<PersistentVolume>;
  readonly node: (name: string) => Node | undefined;
  /** Is the pod still to be placed? */
  readonly isWanted: (pod: Pod) => boolean;
}

export type VolumesBound =
  | { readonly kind: 'bound' }
  | { readonly kind: 'refused'; readonly message: string }
  /** The pod is gone, or `signal` aborted. */
  | { readonly kind: 'stopped' };

/**
 * Has the claims of a pod bound for the node that was chosen, before the pod itself is: what the
 * scheduler decided is written down on volumes and claims, and carried out by others. Whoever dies
 * in between leaves nothing but what the next attempt goes on from.
 */
export class VolumeBinder {
  /** By the claim's key: those that wait for it. */
  private readonly waiting = new Map<string, Set<() => void>>();

  constructor(private readonly deps: VolumeBinderDeps) {}

  /** The claim, its volume, or a pod that uses it is another now. */
  changed(claimKey: string): void {
    for (const wake of this.waiting.get(claimKey) ?? []) wake();
  }

  async bind(
    pod: Pod,
    promise: VolumePromise,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<VolumesBound> {
    const { clock } = this.deps;
    try {
      await this.writeDown(promise, signal);
    } catch (error) {
      if (signal.aborted) return { kind: 'stopped' };
      return { kind: 'refused', message: `binding volumes: ${describeError(error)}` };
    }
    const deadlineMs = clock.monotonicMs() + timeoutMs;
    for (;;) {
      // From here on, so that no change falls between the look and the wait.
      using changed = linkedController(signal);
      using _listening = this.listen(claimsOf(promise), () => changed.abort());
      if (signal.aborted || !this.deps.isWanted(pod)) return { kind: 'stopped' };
      const state = this.stateOf(promise);
      if (state !== 'waiting') return state;
      const leftMs = deadlineMs - clock.monotonicMs();
      if (leftMs <= 0) return { kind: 'refused', message: 'binding volumes: timed out' };
      await clock.sleep(Math.min(leftMs, LOOK_MS), changed.signal);
    }
  }

  private async writeDown(promise: VolumePromise, signal: AbortSignal): Promise<void> {
    const { claims, volumes, client } = this.deps;
    for (const { claim: key, volumeName } of promise.matches) {
      const claim = known(claims.get(key), key);
      const volume = known(volumes.get(volumeName), volumeName);
      if (volume.spec?.claimRef?.uid === claim.metadata.uid) continue;
      if (volume.spec?.claimRef !== undefined && !isKeptFor(volume, claim))
        throw new Error(`volume "${volumeName}" has been given to another claim`);
      const next = keptFor(volume, claim);
      volumes.noteWritten(await client.update(PERSISTENT_VOLUMES, next, {}, signal));
    }
    for (const key of promise.provisions) {
      const claim = known(claims.get(key), key);
      if (claim.metadata.annotations?.[SELECTED_NODE] === promise.nodeName) continue;
      const next = annotated(claim, { [SELECTED_NODE]: promise.nodeName });
      claims.noteWritten(await client.update(PERSISTENT_VOLUME_CLAIMS, next, {}, signal));
    }
  }

  private stateOf(promise: VolumePromise): VolumesBound | 'waiting' {
    const { claims, volumes } = this.deps;
    const { matches, provisions, nodeName } = promise;
    let isWaiting = false;
    for (const key of claimsOf(promise)) {
      const claim = claims.get(key);
      if (claim === undefined) return refused(`persistentvolumeclaim "${key}" not found`);
      const { volumeName = '' } = claim.spec ?? {};
      if (isBound(claim)) {
        const volume = volumes.get(volumeName);
        if (volume === undefined) isWaiting = true;
        else if (!this.isReachable(volume, nodeName))
          return refused(
            `pv "${volumeName}" node affinity doesn't match node "${nodeName}": ` +
              'no matching NodeSelectorTerms',
          );
        continue;
      }
      isWaiting = true;
      const chosen = claim.metadata.annotations?.[SELECTED_NODE];
      // Whoever makes volumes asks for another node by taking the name of this one away.
      if (provisions.includes(key) && chosen !== nodeName)
        return refused(`provisioning failed for PVC "${claim.metadata.name}"`);
      const match = matches.find((each) => each.claim === key);
      const kept = match && volumes.get(match.volumeName)?.spec?.claimRef?.uid;
      if (match !== undefined && kept !== claim.metadata.uid)
        return refused(`pv "${match.volumeName}" is not the claim's any more`);
    }
    return isWaiting ? 'waiting' : { kind: 'bound' };
  }

  private isReachable(volume: PersistentVolume, nodeName: string): boolean {
    const labels = this.deps.node(nodeName)?.metadata.labels ?? {};
    return isReachable(volume, { metadata: { name: nodeName, labels } });
  }

  /** Calls `wake` at each change of these claims, until disposed of. */
  private listen(keys: readonly string[], wake: () => void): Disposable {
    for (const key of keys) this.waiting.set(key, (this.waiting.get(key) ?? new Set()).add(wake));
    return {
      [Symbol.dispose]: () => {
        for (const key of keys) {
          const listeners = this.waiting.get(key);
          listeners?.delete(wake);
          if (listeners?.size === 0) this.waiting.delete(key);
        }
      },
    };
  }
}

const claimsOf = ({ matches, provisions }: VolumePromise): readonly string[] => [
  ...matches.map(({ claim }) => claim),
  ...provisions,
];

/** @throws Error when it is not there any more */
const known = <T>(object: T | undefined, name: string): T => {
  if (object === undefined) throw new Error(`"${name}" not found`);
  return object;
};

const refused = (why: string): VolumesBound => ({
  kind: 'refused',
  message: `binding volumes: ${why}`,
});

const LOOK_MS = 30_000;
