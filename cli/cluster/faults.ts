import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../lib/clock';
import { replaceFile } from '../../lib/files';
import { parseJson, stringifyJson } from '../../lib/json';
import {
  cutLabNode,
  hurryLabNode,
  mendLabNode,
  slowLabNode,
  unplugLabNode,
  type LabSlowness,
} from '../../runtime/network/lab-faults';
import type { ClusterPaths } from '../cluster-paths';
import { UsageError } from '../usage-error';
import { emptyDisk, fillDisk } from './node-disk';
import { cutPower } from './node-power';
import { Processes } from './processes';
import { pathsOf, processesOf } from './record';

/** What `dhow lab` does to a node on purpose. A node has one of each kind at most. */
export type Fault =
  /** From all others, or from some: nodes, or the server. */
  | { readonly kind: 'partition'; readonly from?: readonly string[] }
  | ({ readonly kind: 'slow' } & LabSlowness)
  /** Of the agent alone, or of all that runs on the node. */
  | { readonly kind: 'kill'; readonly how: 'agent' | 'freeze' | 'power' }
  | { readonly kind: 'fill-disk'; readonly leaveBytes: number };

export type FaultKind = Fault['kind'];

export const FAULT_KINDS: readonly FaultKind[] = ['partition', 'slow', 'kill', 'fill-disk'];

export interface FaultRecord {
  readonly node: string;
  readonly fault: Fault;
  /** RFC 3339. */
  readonly since: string;
  /** When it heals by itself. */
  readonly until?: string;
}

/** Faults of one cluster's nodes. Whoever calls what changes them holds the cluster's lock. */
export class Faults {
  readonly paths: ClusterPaths;
  private readonly processes: Processes;
  private readonly healers: Processes;

  constructor(readonly cluster: string) {
    this.paths = pathsOf(cluster);
    this.processes = processesOf(this.paths);
    this.healers = new Processes(join(this.folder, 'pids'));
  }

  /** @throws UsageError that names a file which is no record */
  records(): readonly FaultRecord[] {
    return this.files().map(({ node, kind }) => {
      const file = this.file(node, kind);
      try {
        return parseJson(readFileSync(file, 'utf8')) as FaultRecord;
      } catch {
        throw new UsageError(`${file} cannot be read: dhow lab heal ${node}`);
      }
    });
  }

  /**
   * Brings a fault about, in place of one of its kind. It is written down first, and what heals it is there
   * first: whatever dies meanwhile, it is undone. What cannot be brought about leaves nothing.
   * @param forMs how long it lasts; undefined: until somebody heals it
   * @param healer a command that heals it after so long
   */
  async inject(
    node: string,
    fault: Fault,
    forMs: number | undefined,
    healer: (afterMs: number) => readonly string[],
  ): Promise<void> {
    const { kind } = fault;
    await this.dismissHealer(node, kind);
    const nowMs = systemClock.now();
    const timed = forMs === undefined ? {} : { until: new Date(nowMs + forMs).toISOString() };
    const record: FaultRecord = { node, fault, since: new Date(nowMs).toISOString(), ...timed };
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    await replaceFile(this.file(node, kind), stringifyJson(record));
    try {
      if (forMs !== undefined)
        await this.healers.start(nameOf(node, kind), healer(forMs), this.paths.log('lab'));
      await this.apply(node, fault);
    } catch (error) {
      await this.heal(node, [kind]);
      throw error;
    }
  }

  /** Puts back what faults of these kinds changed, recorded or not. False when there was nothing. Idempotent. */
  async heal(node: string, kinds: readonly FaultKind[]): Promise<boolean> {
    let hadAny = false;
    for (const kind of kinds) {
      await this.dismissHealer(node, kind);
      if (await this.undo(node, kind)) hadAny = true;
      if (this.files().some((file) => file.node === node && file.kind === kind)) hadAny = true;
      rmSync(this.file(node, kind), { force: true });
    }
    return hadAny;
  }

  /** Of faults whose time is over though nothing has healed them. */
  async healOverdue(): Promise<void> {
    for (const { node, fault, until } of this.records())
      if (until !== undefined && Date.parse(until) <= systemClock.now())
        await this.heal(node, [fault.kind]);
  }

  /** For `dhow up`: puts all back but agents that have ended, which it starts itself. */
  async healAll(): Promise<void> {
    for (const { node, kind } of this.files()) {
      await this.dismissHealer(node, kind);
      if (kind === 'kill') await this.thaw(node);
      else await this.undo(node, kind);
      rmSync(this.file(node, kind), { force: true });
    }
  }

  /** For `dhow down`: nothing comes back while the cluster goes, and everybody hears that it ends. */
  async forget(): Promise<void> {
    for (const { node, kind } of this.files()) {
      await this.dismissHealer(node, kind);
      await this.thaw(node);
    }
  }

  private async apply(node: string, fault: Fault): Promise<void> {
    switch (fault.kind) {
      case 'partition':
        await mendLabNode(this.cluster, node);
        if (fault.from === undefined) await unplugLabNode(this.cluster, node);
        else await cutLabNode(this.cluster, node, fault.from);
        return;
      case 'slow':
        return slowLabNode(this.cluster, node, fault);
      case 'kill':
        return this.kill(node, fault.how);
      case 'fill-disk':
        return fillDisk(this.paths, node, fault.leaveBytes);
    }
  }

  /** True where it can tell that something was wrong. */
  private async undo(node: string, kind: FaultKind): Promise<boolean> {
    switch (kind) {
      case 'partition':
        await mendLabNode(this.cluster, node);
        return false;
      case 'slow':
        await hurryLabNode(this.cluster, node);
        return false;
      case 'kill':
        await this.thaw(node);
        return this.processes.startAgain(node);
      case 'fill-disk':
        emptyDisk(this.paths, node);
        return false;
    }
  }

  private async kill(node: string, how: 'agent' | 'freeze' | 'power'): Promise<void> {
    const pid = await this.processes.pidOf(node);
    if (how === 'freeze') {
      if (pid === undefined)
        throw new UsageError(`the agent of ${node} does not run: dhow lab heal ${node}`);
      process.kill(pid, 'SIGSTOP');
      return;
    }
    await this.processes.kill(node);
    if (how === 'power') await cutPower(this.cluster, node);
  }

  private async thaw(node: string): Promise<void> {
    const pid = await this.processes.pidOf(node);
    if (pid !== undefined) process.kill(pid, 'SIGCONT');
  }

  /** Unless that is who asks. */
  private async dismissHealer(node: string, kind: FaultKind): Promise<void> {
    const name = nameOf(node, kind);
    if ((await this.healers.pidOf(name)) !== process.pid) await this.healers.kill(name);
    this.healers.forget(name);
  }

  private files(): readonly { readonly node: string; readonly kind: FaultKind }[] {
    let names: string[];
    try {
      names = readdirSync(this.folder);
    } catch {
      // There was never a fault.
      return [];
    }
    return names.sort().flatMap((name) => {
      const [, node = '', word] = /^(node-\d{1,3})\.([a-z-]+)\.json$/.exec(name) ?? [];
      const kind = FAULT_KINDS.find((each) => each === word);
      return kind === undefined ? [] : [{ node, kind }];
    });
  }

  private file(node: string, kind: FaultKind): string {
    return join(this.folder, `${nameOf(node, kind)}.json`);
  }

  /** In the run folder: what the faults change ends with the machine, too. */
  private get folder(): string {
    return join(this.paths.runDir, 'lab');
  }
}

const nameOf = (node: string, kind: FaultKind): string => `${node}.${kind}`;
