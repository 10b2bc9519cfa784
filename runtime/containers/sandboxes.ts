import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { SingleFlight } from '../../lib/async/single-flight';
import type { Clock } from '../../lib/clock';
import type { Log } from '../../lib/log';
import type { CgroupDriver } from '../cgroups';
import {
  SANDBOX_GROUPS,
  type CgroupResources,
  type Sandbox,
  type SandboxGroup,
  type SandboxSpec,
} from '../container-runtime';
import { FrameType } from './frames';
import { sandboxPlan, unmountPlan, type PinnedNamespace } from './launch-plan';
import type { LauncherClient } from './launcher-client';
import type { RunFiles, SandboxRecord } from './records';

export interface SandboxesDeps {
  readonly files: RunFiles;
  readonly cgroups: CgroupDriver;
  /** Parent of the sandboxes' cgroups. */
  readonly cgroupParent: string;
  readonly launcher: LauncherClient;
  readonly clock: Clock;
  readonly log: Log;
}

/** The sandboxes of a runtime: pinned namespaces, a shared /dev/shm, and the cgroup of a pod. */
export class Sandboxes {
  private readonly recordsById = new Map<string, SandboxRecord>();
  private readonly creations = new SingleFlight<string, Sandbox>();

  constructor(private readonly deps: SandboxesDeps) {}

  get(id: string): SandboxRecord | undefined {
    return this.recordsById.get(id);
  }

  all(): readonly Sandbox[] {
    return [...this.recordsById.values()].map(({ sandbox }) => sandbox);
  }

  /** The cgroup of all sandboxes. */
  get root(): string {
    return this.deps.cgroupParent;
  }

  cgroupOf(id: string): string {
    return this.cgroupIn(this.recordsById.get(id)?.spec.group, id);
  }

  /** @throws RuntimeError */
  limitGroup(group: SandboxGroup, resources: CgroupResources): void {
    const { cgroups, cgroupParent } = this.deps;
    cgroups.create(join(cgroupParent, group));
    cgroups.apply(join(cgroupParent, group), resources);
  }

  private cgroupIn(group: SandboxGroup = '', id: string): string {
    return join(this.deps.cgroupParent, group, id);
  }

  /** What is on disk becomes known again; what was half made goes, now or at the next start. */
  async adopt(): Promise<void> {
    const { files, log } = this.deps;
    for (const id of files.sandboxIds()) {
      const record = files.readSandbox(id);
      if (record !== undefined) this.recordsById.set(id, record);
      else
        await this.unpin(id).catch((err: unknown) => {
          log.error({ sandbox: id, err }, 'what is left of a half-made sandbox cannot be removed');
        });
    }
  }

  /** Idempotent. */
  create(spec: SandboxSpec, signal?: AbortSignal): Promise<Sandbox> {
    return this.creations.run(
      spec.id,
      async () => this.recordsById.get(spec.id)?.sandbox ?? (await this.make(spec, signal)),
    );
  }

  /** Its containers must be gone. Idempotent. */
  async remove(id: string): Promise<void> {
    if (!this.recordsById.has(id) && !existsSync(this.deps.files.sandboxDir(id))) return;
    await this.unpin(id);
    this.recordsById.delete(id);
  }

  private async make(spec: SandboxSpec, signal?: AbortSignal): Promise<Sandbox> {
    const { files, cgroups, launcher, clock } = this.deps;
    const dir = files.sandboxDir(spec.id);
    const shmDir = spec.hostIpc ? undefined : join(dir, 'shm');
    const plan = sandboxPlan({ spec, pins: pinsOf(spec, dir), shmDir });
    mkdirSync(shmDir ?? dir, { recursive: true, mode: 0o700 });
    try {
      cgroups.create(this.cgroupIn(spec.group, spec.id));
      cgroups.apply(this.cgroupIn(spec.group, spec.id), spec.cgroup);
      await launcher.request(FrameType.sandbox, plan, signal);
    } catch (error) {
      await this.unpin(spec.id);
      throw error;
    }
    const sandbox: Sandbox = {
      id: spec.id,
      labels: spec.labels,
      netnsPath: spec.hostNetwork ? undefined : join(dir, 'net'),
      createdAtMs: clock.now(),
    };
    files.writeSandbox({ spec, sandbox });
    this.recordsById.set(spec.id, { spec, sandbox });
    return sandbox;
  }

  private async unpin(id: string): Promise<void> {
    const { files, cgroups, launcher } = this.deps;
    const paths = ['net', 'ipc', 'uts', 'shm'].map((name) => join(files.sandboxDir(id), name));
    await launcher.request(FrameType.unmount, unmountPlan(paths));
    // Of one that was half made nobody knows the group.
    const { group, handler } = this.recordsById.get(id)?.spec ?? {};
    const isKnown = this.recordsById.has(id);
    for (const each of isKnown ? [group] : SANDBOX_GROUPS)
      await cgroups.remove(this.cgroupIn(each, id));
    if (handler !== undefined) await cgroups.removeElsewhere(this.cgroupIn(group, id));
    await files.removeSandbox(id);
  }
}

/** The namespaces that a sandbox has of its own. */
export const pinsOf = (spec: SandboxSpec, dir: string): PinnedNamespace[] => {
  const pins: PinnedNamespace[] = [{ type: 'uts', path: join(dir, 'uts') }];
  if (!spec.hostIpc) pins.push({ type: 'ipc', path: join(dir, 'ipc') });
  if (!spec.hostNetwork) pins.push({ type: 'net', path: join(dir, 'net') });
  return pins;
};
