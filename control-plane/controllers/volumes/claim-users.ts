import { isTerminal } from '../../../api/pods';
import { keyOf, type Pod } from '../../../api/types';
import { claimKeysOf } from '../../../api/volumes';
import type { Informer } from '../../../client/informer';

/** Which pods use a claim, without walking all of them. */
export class ClaimUsers {
  private readonly byClaim = new Map<string, Map<string, Pod>>();

  constructor(pods: Pick<Informer<Pod>, 'subscribe'>) {
    pods.subscribe({
      onAdd: (pod) => this.add(pod),
      onUpdate: (pod, previous) => {
        this.remove(previous);
        this.add(pod);
      },
      onDelete: (pod) => this.remove(pod),
    });
  }

  /** A pod that has no node yet will find out for itself that the claim goes. */
  isUsed(claimKey: string): boolean {
    return this.podsOf(claimKey).some(uses);
  }

  /** The name of one that waits for a node. */
  waitingPod(claimKey: string): string | undefined {
    return this.podsOf(claimKey).find((pod) => (pod.spec.nodeName ?? '') === '' && !isTerminal(pod))
      ?.metadata.name;
  }

  private podsOf(claimKey: string): readonly Pod[] {
    return [...(this.byClaim.get(claimKey)?.values() ?? [])];
  }

  private add(pod: Pod): void {
    for (const key of claimKeysOf(pod)) {
      const pods = this.byClaim.get(key) ?? new Map<string, Pod>();
      this.byClaim.set(key, pods.set(keyOf(pod), pod));
    }
  }

  private remove(pod: Pod): void {
    for (const key of claimKeysOf(pod)) {
      const pods = this.byClaim.get(key);
      pods?.delete(keyOf(pod));
      if (pods?.size === 0) this.byClaim.delete(key);
    }
  }
}

/** Does the pod keep the claims that it names? */
export const uses = (pod: Pod): boolean => (pod.spec.nodeName ?? '') !== '' && !isTerminal(pod);
