import type { CompiledPolicy } from './compile';

/** Which policies and sets one node needs, counted by its pods. */
export class NodePolicies {
  /** By uid: the policies that isolate the pod. */
  readonly pods = new Map<string, ReadonlySet<string>>();
  private readonly policies = new Map<string, number>();
  private readonly sets = new Map<string, number>();

  constructor(
    private readonly deps: {
      readonly compiled: (policy: string) => CompiledPolicy | undefined;
      readonly onPolicy: (policy: string) => void;
      /** The node needs the set from now on, or no longer. */
      readonly onSet: (set: string) => void;
    },
  ) {}

  get isEmpty(): boolean {
    return this.pods.size === 0;
  }

  hasPolicy(key: string): boolean {
    return this.policies.has(key);
  }

  hasSet(id: string): boolean {
    return this.sets.has(id);
  }

  policyKeys(): readonly string[] {
    return [...this.policies.keys()];
  }

  setIds(): readonly string[] {
    return [...this.sets.keys()];
  }

  /** Undefined: the pod has gone. */
  setPod(uid: string, policies: ReadonlySet<string> | undefined): void {
    const before = this.pods.get(uid) ?? new Set<string>();
    if (policies === undefined) this.pods.delete(uid);
    else this.pods.set(uid, policies);
    for (const key of policies ?? []) if (!before.has(key)) this.countPolicy(key, 1);
    for (const key of before) if (policies?.has(key) !== true) this.countPolicy(key, -1);
  }

  /** The policy, which the node has, is another than before. */
  policyChanged(key: string, before: CompiledPolicy | undefined): void {
    if (!this.policies.has(key)) return;
    for (const id of this.deps.compiled(key)?.sets.keys() ?? []) this.countSet(id, 1);
    for (const id of before?.sets.keys() ?? []) this.countSet(id, -1);
    this.deps.onPolicy(key);
  }

  private countPolicy(key: string, by: 1 | -1): void {
    const before = this.policies.get(key) ?? 0;
    const count = before + by;
    if (count > 0) this.policies.set(key, count);
    else this.policies.delete(key);
    if (before > 0 && count > 0) return;
    for (const id of this.deps.compiled(key)?.sets.keys() ?? []) this.countSet(id, by);
    this.deps.onPolicy(key);
  }

  private countSet(id: string, by: 1 | -1): void {
    const before = this.sets.get(id) ?? 0;
    const count = before + by;
    if (count > 0) this.sets.set(id, count);
    else this.sets.delete(id);
    if (before === 0 || count === 0) this.deps.onSet(id);
  }
}
