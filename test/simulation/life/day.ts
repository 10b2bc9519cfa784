import { isPodActive, isPodReady, isTerminating } from '../../../api/pods';
import type { Pod } from '../../../api/types';
import type { World } from '../world';
import { Ledger } from './ledger';
import { SHOP, workloadsOf, type Shape, type Workload } from './workloads';

/** A virtual day in the life of a cluster: what users and faults act on, and the rules it is held to. */
export class Day {
  readonly ledger: Ledger;
  readonly workloads: Readonly<Record<string, Workload>>;
  /** Apps whose pods are not ready for now. */
  readonly sick = new Set<string>();
  /** Nodes that are being emptied. */
  readonly draining = new Set<string>();
  /** How many pods of the web serve at least, when nothing but ourselves takes any away. */
  webFloor = 0;
  jobCount = 0;
  /** Bigger than any tag before, so that each update is one. */
  version = 1;
  private known = new Map<string, Pod>();

  constructor(
    readonly world: World,
    readonly shape: Shape,
  ) {
    this.ledger = new Ledger(world);
    this.workloads = workloadsOf(shape);
    world.isSick = ({ metadata }) => this.sick.has(metadata.labels?.['app'] ?? '');
  }

  pick(n: number): number {
    return Math.floor(this.world.random.next() * n);
  }

  oneOf<T>(items: readonly T[]): T | undefined {
    return items[this.pick(items.length)];
  }

  /** Lets time pass; the rules hold at each step. */
  async pass(ms: number, stepMs: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      const down = this.world.nodes.filter(({ isDown }) => isDown).map(({ name }) => name);
      await this.world.advance(stepMs, stepMs);
      await this.drain();
      this.check(new Set(down));
    }
  }

  podsOf(app: string): readonly Pod[] {
    return (this.world.store.current('pods') as readonly Pod[]).filter(
      ({ metadata }) => metadata.namespace === SHOP && metadata.labels?.['app'] === app,
    );
  }

  /** Pods of an app that serve. */
  serving(app: string): readonly Pod[] {
    return this.podsOf(app).filter((pod) => isPodReady(pod) && !isTerminating(pod));
  }

  /** Evicts whatever is on the nodes that are being emptied, as `kubectl drain` does again and again. */
  private async drain(): Promise<void> {
    if (this.draining.size === 0) return;
    const pods = this.world.store.current('pods') as readonly Pod[];
    for (const pod of pods) {
      const isDaemon = pod.metadata.labels?.['app'] === 'agent';
      if (isDaemon || !isPodActive(pod) || !this.draining.has(pod.spec.nodeName ?? '')) continue;
      const code = await this.world.evict(pod);
      if (!EVICTED.has(code)) throw new Error(`evicting ${pod.metadata.name}: ${code}`);
    }
  }

  private check(down: ReadonlySet<string>): void {
    this.ledger.check();
    const pods = this.world.store.current('pods') as readonly Pod[];
    this.checkOrdinals(pods, down);
    this.checkMachines();
    const sole = this.podsOf('solo').filter(
      (pod) => isPodActive(pod) && pod.spec.nodeName !== undefined,
    );
    const serving = this.serving('web').length;
    if (serving < this.webFloor) throw new Error(`${serving} of ${this.webFloor} pods serve`);
    if (sole.length > 1) throw new Error('two pods write what is for one alone');
  }

  /** Nothing takes the place of a pod that may still run. */
  private checkOrdinals(pods: readonly Pod[], down: ReadonlySet<string>): void {
    const own = pods.filter(({ metadata }) => metadata.labels?.['app'] === 'db');
    const before = this.known;
    this.known = new Map(own.map((pod) => [pod.metadata.name, pod]));
    const there = new Set(this.world.nodes.map(({ name }) => name));
    for (const [name, { metadata, spec }] of before) {
      const { nodeName = '' } = spec;
      if (!down.has(nodeName) || !there.has(nodeName)) continue;
      if (this.known.get(name)?.metadata.uid !== metadata.uid)
        throw new Error(`${name} was replaced while it may run on ${nodeName}`);
    }
  }

  /** No two machines run pods of one ordinal. */
  private checkMachines(): void {
    const runners = new Map<string, string>();
    for (const agent of this.world.agents)
      for (const [uid, [state]] of agent.running()) {
        const name = state?.labels['io.kubernetes.pod.name'] ?? '';
        if (!/^db-\d+$/.test(name)) continue;
        const other = runners.get(name);
        if (other !== undefined && other !== uid) throw new Error(`${name} runs twice`);
        runners.set(name, uid);
      }
  }
}

/** Allowed; gone; not now; nobody there, or nobody who knows. */
const EVICTED = new Set([201, 404, 409, 429, 500, 503, 504, 507]);
