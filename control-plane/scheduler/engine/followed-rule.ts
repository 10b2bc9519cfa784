import { domainOf, type DomainName } from '../domains';
import { verdictOf, type Rule } from '../filters';
import type { NodeInfo } from '../node-info';
import type { FollowingFilter, Refusal } from '../plugins/plugin';
import type { NodeRing } from './node-ring';

/** Nodes that are in the same domains. */
interface Group {
  readonly slots: number[];
  readonly sample: NodeInfo;
  refusal: Refusal | undefined;
}

/** What a rule of domains says, asked once for all nodes that are in the same domains. */
export class FollowedRule {
  private keys = '';
  private groups: readonly Group[] = [];
  /** By key and value. */
  private readonly byDomain = new Map<string, Map<string, Group[]>>();
  private readonly groupAt: Int32Array;

  constructor(
    private readonly rule: Rule & { readonly term: FollowingFilter },
    private readonly ring: NodeRing,
  ) {
    this.groupAt = new Int32Array(ring.length);
  }

  update(node: NodeInfo): void {
    this.rule.term.update(node);
  }

  refusalAt(slot: number): Refusal | undefined {
    return this.groups[this.groupAt[slot] ?? 0]?.refusal;
  }

  /** The slots of nodes that are judged otherwise than before. */
  takeChanged(): Iterable<number> {
    const changed = this.rule.term.takeChanged();
    const keys = this.rule.term.keys.join('\n');
    if (keys !== this.keys || this.groups.length === 0) {
      this.keys = keys;
      this.group();
      return this.ring.nodes.keys();
    }
    if (changed === 'all') return this.ask(this.groups);
    return this.ask(new Set(changed.flatMap((domain) => this.groupsIn(domain))));
  }

  private ask(groups: Iterable<Group>): readonly number[] {
    const slots: number[] = [];
    for (const group of groups) {
      const refusal = verdictOf(this.rule, group.sample);
      if (refusal === group.refusal) continue;
      group.refusal = refusal;
      for (const slot of group.slots) slots.push(slot);
    }
    return slots;
  }

  private group(): void {
    const { keys } = this.rule.term;
    const domains = keys.map((key) => this.ring.domainsOf(key));
    const found = new Map<string, number>();
    const groups: Group[] = [];
    this.ring.nodes.forEach((sample, slot) => {
      const name = domains.map(({ numberAt }) => numberAt[slot]).join();
      const index = found.get(name) ?? groups.length;
      if (index === groups.length) {
        found.set(name, index);
        groups.push({ slots: [], sample, refusal: undefined });
      }
      groups[index]?.slots.push(slot);
      this.groupAt[slot] = index;
    });
    this.groups = groups;
    this.byDomain.clear();
    for (const key of keys) this.byDomain.set(key, groupsBy(key, groups));
    this.ask(groups);
  }

  private groupsIn({ key, value }: DomainName): readonly Group[] {
    return this.byDomain.get(key)?.get(value) ?? [];
  }
}

const groupsBy = (key: string, groups: readonly Group[]): Map<string, Group[]> => {
  const byValue = new Map<string, Group[]>();
  for (const group of groups) {
    const value = domainOf(group.sample, key);
    if (value === undefined) continue;
    const known = byValue.get(value);
    if (known === undefined) byValue.set(value, [group]);
    else known.push(group);
  }
  return byValue;
};
