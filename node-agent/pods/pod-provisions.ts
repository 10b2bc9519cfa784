import type { Pod } from '../../api/types';
import { withDeadline } from '../../lib/async/deadline';
import { describeError } from '../../lib/log';
import type { ContainerTasks } from '../containers/container-tasks';
import type { PodDeps } from '../containers/pod-deps';
import { ensureSandbox, removeSandbox, type ReadySandbox } from '../containers/pod-sandbox';
import { nodeViewOf } from '../pod-spec/field-refs';
import { RuntimeHandlerMissingError } from '../pod-spec/runtime-handler';
import { hasHostPorts } from '../pod-spec/host-ports';
import { NotYetError } from '../volumes/volume-content';
import { VolumeError } from '../volumes/volume-error';
import type { PreparedVolumes } from '../volumes/volume-manager';
import type { PodRecord } from './pod-record';
import type { PodTrace } from './pod-trace';

interface PodProvisionsDeps {
  readonly deps: PodDeps;
  readonly record: PodRecord;
  readonly tasks: ContainerTasks;
  readonly trace: PodTrace;
  /** The agent stops. */
  readonly stopping: AbortSignal;
}

/** What a pod's containers need before they start, and what of it goes away after them. */
export class PodProvisions {
  /** Monotonic. */
  private retryAtMs = -Infinity;

  constructor(private readonly parts: PodProvisionsDeps) {}

  /** When the making of the sandbox is worth another try, in monotonic ms; undefined: it is there. */
  get sandboxDueMs(): number | undefined {
    const { sandbox, isTornDown } = this.parts.record;
    return sandbox === undefined && !isTornDown ? this.retryAtMs : undefined;
  }

  /** @throws when they cannot be had, or when the pod must end */
  async allocateDevices(): Promise<void> {
    const { deps, record, tasks } = this.parts;
    await this.step('the allocation of its devices', tasks.startSignal, (signal) =>
      deps.devices.allocate(record.pod, signal),
    );
  }

  /** Idempotent. Undefined while there is none; `pod` as it is granted. */
  async ensureSandbox(pod: Pod): Promise<ReadySandbox | undefined> {
    const { deps, record, tasks, trace } = this.parts;
    const { clock, settings, events } = deps;
    if (record.sandbox !== undefined) return record.sandbox;
    if (clock.monotonicMs() < this.retryAtMs) return undefined;
    const { startSignal } = tasks;
    try {
      const make = (signal: AbortSignal) => ensureSandbox(deps, pod, signal);
      record.sandbox = await trace.during('Create sandbox', () =>
        this.step('the making of its sandbox', startSignal, make),
      );
      record.sandboxProblem = undefined;
      return record.sandbox;
    } catch (error) {
      if (startSignal.aborted) return undefined;
      this.retryAtMs = clock.monotonicMs() + settings.retryMs;
      const message = `Failed to create pod sandbox: ${describeError(error)}`;
      events.emit(record.pod, { type: 'Warning', reason: 'FailedCreatePodSandBox', message });
      record.sandboxProblem =
        error instanceof RuntimeHandlerMissingError
          ? { reason: error.reason, message: error.message }
          : undefined;
      return undefined;
    }
  }

  /** Idempotent. Undefined while one is missing. */
  async ensureVolumes({ podIps }: ReadySandbox): Promise<PreparedVolumes | undefined> {
    const { deps, record, tasks, trace } = this.parts;
    const { volumes, objects, events, node } = deps;
    const { startSignal } = tasks;
    try {
      const own = volumes.prepare({ pod: record.pod, objects, node: nodeViewOf(node(), podIps) });
      return await trace.once('Prepare volumes', () => this.withRemoteVolumes(own, startSignal));
    } catch (error) {
      if (error instanceof NotYetError || startSignal.aborted) return undefined;
      const reason = error instanceof VolumeError ? error.reason : 'FailedMount';
      events.emit(record.pod, { type: 'Warning', reason, message: describeError(error) });
      return undefined;
    }
  }

  /** And those that others have, who may take long. */
  private async withRemoteVolumes(
    own: PreparedVolumes,
    startSignal: AbortSignal,
  ): Promise<PreparedVolumes> {
    const { deps, record } = this.parts;
    const { pod } = record;
    const ofDrivers = deps.volumes.csiVolumes(pod);
    const ofNfs = deps.volumes.nfsVolumes(pod);
    if (ofDrivers.length + ofNfs.length === 0) return own;
    return this.step('the mounting of its volumes', startSignal, async (signal) => {
      const mounted = await deps.volumes.mountNfs(pod, ofNfs, signal);
      return new Map([...own, ...mounted, ...(await deps.csi.prepare(pod, ofDrivers, signal))]);
    });
  }

  /** Takes all of it away, once no container is left. Idempotent. */
  async release(): Promise<void> {
    const { deps, record, stopping } = this.parts;
    const { uid } = record;
    await this.removeSandbox();
    await this.step('the removal of its volumes', stopping, async (signal) => {
      await deps.csi.release(uid, signal);
      await deps.volumes.remove(uid);
    });
    deps.images.unpin(uid);
    deps.cpus.release(uid);
    deps.devices.release(uid);
    record.sandbox = undefined;
    record.isTornDown = true;
    if (hasHostPorts(record.pod.spec)) deps.network.changed();
  }

  /** What outlives its containers, for those who want to know how they ended. */
  async forget(): Promise<void> {
    const { deps, record, stopping } = this.parts;
    await this.step('the removal of its logs', stopping, () =>
      deps.logs.remove(deps.paths.logFolderName(record.pod)),
    );
    deps.allocations.remove(record.uid);
    deps.statuses.forget(record.uid);
  }

  private async removeSandbox(): Promise<void> {
    const { deps, record, stopping } = this.parts;
    try {
      await this.step('the removal of its sandbox', stopping, () =>
        removeSandbox(deps, record.uid),
      );
    } catch (error) {
      if (!stopping.aborted) {
        const message = `error killing pod: ${describeError(error)}`;
        deps.events.emit(record.pod, { type: 'Warning', reason: 'FailedKillPod', message });
      }
      throw error;
    }
  }

  /** Whatever a step does, the worker goes on in time, and at once when it must stop. */
  private step<T>(
    what: string,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { clock, settings } = this.parts.deps;
    return withDeadline({ what, limitMs: settings.stepLimitMs, clock, signal }, work);
  }
}
