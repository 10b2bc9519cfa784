import type { NetworkPolicy } from '../types';
import { isAbout, isolates, type Direction } from './selection';
import type { PolicySubject } from './subject';

/**
 * Which policies isolate a pod, found by its labels: a policy is looked at for those pods alone that have the first
 * label it asks for. Immutable; in the order given.
 */
export class PoliciesByLabel {
  /** By namespace and one label; those that ask for none by the namespace alone. */
  private readonly entries = new Map<string, Entry[]>();

  constructor(policies: Iterable<NetworkPolicy>) {
    let ordinal = 0;
    for (const policy of policies) {
      const { namespace = '' } = policy.metadata;
      const [label] = Object.entries(policy.spec?.podSelector.matchLabels ?? {});
      const key = label === undefined ? namespace : keyFor(namespace, label);
      const entries = this.entries.get(key) ?? [];
      this.entries.set(key, entries);
      entries.push({ policy, ordinal: ordinal++ });
    }
  }

  isolating(subject: PolicySubject, direction: Direction): readonly NetworkPolicy[] {
    const { namespace, labels } = subject;
    const keys = [namespace, ...Object.entries(labels).map((label) => keyFor(namespace, label))];
    return keys
      .flatMap((key) => this.entries.get(key) ?? [])
      .filter(({ policy }) => isAbout(policy, direction) && isolates(policy, subject))
      .sort((a, b) => a.ordinal - b.ordinal)
      .map(({ policy }) => policy);
  }
}

interface Entry {
  readonly policy: NetworkPolicy;
  readonly ordinal: number;
}

/** No namespace and no label has a space. */
const keyFor = (namespace: string, [key, value]: readonly [string, unknown]): string =>
  `${namespace} ${key} ${String(value)}`;
