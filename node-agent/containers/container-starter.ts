import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

import { type Pod, uidOf } from '../../api/types';
import { withDeadline } from '../../lib/async/deadline';
import { describeError } from '../../lib/log';
import { podSpan, spanning, type Span } from '../../lib/tracing/tracing';
import { fieldPathOf, ImageWaitError } from '../images/image-puller';
import type { PreparedVolumes } from '../volumes/volume-manager';
import type { KillRequest } from './container-killer';
import { containerSpecOf } from './container-spec';
import { ensureImageVolumes } from './image-volumes';
import { ContainerConfigError } from '../pod-spec/environment';
import { nodeViewOf } from '../pod-spec/field-refs';
import { runHook } from '../handlers/hooks';
import { LABEL } from '../inventory/labels';
import type { ContainerRuns } from '../inventory/observe';
import type { StartAction } from '../plan/plan';
import type { PodDeps } from './pod-deps';
import type { ReadySandbox } from './pod-sandbox';
import { graceMsOf } from '../pod-spec/pod-times';
import type { WaitingReason } from '../plan/status';

export interface StartRequest {
  readonly pod: Pod;
  readonly start: StartAction;
  readonly sandbox: ReadySandbox;
  readonly volumes: PreparedVolumes;
  readonly runs: ContainerRuns | undefined;
}

/** Why a container did not start, and when (monotonic) to try again. */
export interface StartFailure extends WaitingReason {
  readonly retryAtMs: number;
}

/** Brings one container from its image to a running process. */
export class ContainerStarter {
  constructor(
    private readonly deps: PodDeps,
    /** Ends a container as its pod asks. Not waited for: the start is over. */
    private readonly kill: (request: KillRequest) => void,
  ) {}

  /** Resolves to undefined once it runs (or has been started and has ended already). */
  async start(request: StartRequest, signal: AbortSignal): Promise<StartFailure | undefined> {
    try {
      const { pod, start } = request;
      const { container } = start;
      const found = await ensureImageVolumes(this.deps, pod, container, signal);
      const image = await this.deps.puller.ensure(pod, container, signal);
      const volumes = new Map([...request.volumes, ...found]);
      const { startSlots, settings, clock } = this.deps;
      await this.deps.services.whenKnown(settings.servicesWaitMs, signal);
      const what = `the start of container "${container.name}"`;
      const deadline = { what, limitMs: settings.startLimitMs, clock, signal };
      const id = await startSlots.use(
        () => withDeadline(deadline, (over) => this.launch({ ...request, volumes }, image, over)),
        signal,
      );
      await this.postStart(request, id, signal);
      return undefined;
    } catch (error) {
      if (signal.aborted) return undefined;
      return this.explain(request, error);
    }
  }

  private async launch(
    request: StartRequest,
    image: Parameters<typeof containerSpecOf>[0]['image'],
    signal: AbortSignal,
  ): Promise<string> {
    signal.throwIfAborted();
    const { runtime, images, paths, logs, node, cpus, random } = this.deps;
    const { pod, start, sandbox, volumes, runs } = request;
    const uid = uidOf(pod);
    const { name } = start.container;
    await this.removeOldRuns(runs);
    const messageFile = paths.terminationMessage(uid, name, start.restartCount);
    makeEmptyFile(messageFile);
    // The run before the last can no longer be asked for.
    rmSync(paths.terminationMessage(uid, name, start.restartCount - 2), { force: true });
    const logPath = paths.logPath(pod, name, start.restartCount);
    logs.prepare(logPath);
    const deviceEdits = await this.deps.devices.prepare(pod, start.container, signal);
    signal.throwIfAborted();
    const id = randomHex(random);
    const spec = containerSpecOf({
      pod,
      start,
      id,
      sandboxId: sandbox.id,
      hostname: sandbox.hostname,
      image,
      volumes,
      objects: this.deps.objects,
      services: this.deps.services.list(),
      node: nodeViewOf(node(), sandbox.podIps),
      nodeMemoryBytes: node().capacityBytes,
      cpuShare: cpus.shareOf(uid, name),
      deviceEdits,
      etcFiles: sandbox.etcFiles,
      terminationMessageFile: messageFile,
      ...this.besideOf(request),
      logPath,
      profilesDir: paths.seccompProfiles,
    });
    images.pin(image.id, uid);
    await spanning(this.span(request, 'Create container'), runtime.createContainer(spec, signal));
    // What it is to share may have changed while it was made.
    cpus.place(id);
    logs.publish(spec);
    signal.throwIfAborted();
    this.emit(request, 'Normal', 'Created', `Created container ${name}`);
    const state = await spanning(
      this.span(request, 'Start container'),
      runtime.startContainer(id, signal),
    );
    signal.throwIfAborted();
    if (state.status === 'exited' && state.exit.startError !== undefined)
      this.emit(request, 'Warning', 'Failed', `Error: ${state.exit.startError}`);
    else this.emit(request, 'Normal', 'Started', `Started container ${name}`);
    return id;
  }

  private span({ pod, start }: StartRequest, name: string): Span | undefined {
    return podSpan(this.deps.tracing, uidOf(pod), name, () => ({
      attributes: { 'k8s.container.name': start.container.name },
    }));
  }

  /** A container that was added to look into another one sees its processes. @throws ContainerConfigError */
  private besideOf({ pod, start, sandbox }: StartRequest): { readonly processesOf?: string } {
    const target = pod.spec.ephemeralContainers?.find(
      ({ name }) => name === start.container.name,
    )?.targetContainerName;
    if (target === undefined || target === '') return {};
    const run = this.deps.runtime
      .containers(sandbox.id)
      .find(({ labels, status }) => labels[LABEL.container] === target && status === 'running');
    if (run === undefined)
      throw new ContainerConfigError(`target container "${target}" is not running`);
    return { processesOf: run.id };
  }

  /** One dead run per container stays, for `logs --previous` and the last state. */
  private async removeOldRuns(runs: ContainerRuns | undefined): Promise<void> {
    const { current, previous, older = [] } = runs ?? {};
    const isHalfMade = current?.state.status === 'created';
    const old = [...older, ...(isHalfMade ? [current] : []), ...(isHalfMade ? [] : [previous])];
    for (const run of old)
      if (run?.exists === true) await this.deps.runtime.removeContainer(run.id);
  }

  private async postStart(request: StartRequest, id: string, signal: AbortSignal): Promise<void> {
    const { pod, start, sandbox } = request;
    const { container } = start;
    const hook = container.lifecycle?.postStart;
    if (hook === undefined) return;
    const [podIp = ''] = sandbox.podIps;
    try {
      await runHook(this.deps, { containerId: id, container, podIp }, hook, signal);
    } catch (error) {
      if (signal.aborted) return;
      // What a hook prints may be secret: it stays on the node.
      this.deps.log.info({ container: id, err: describeError(error) }, 'a postStart hook failed');
      this.emit(request, 'Warning', 'FailedPostStartHook', 'PostStartHook failed');
      const message = 'FailedPostStartHook';
      this.kill({ pod, container, containerId: id, graceMs: graceMsOf(pod), message, podIp });
    }
  }

  private explain(request: StartRequest, error: unknown): StartFailure {
    const { clock, settings } = this.deps;
    const resyncAtMs = clock.monotonicMs() + settings.resyncMs;
    if (error instanceof ImageWaitError) {
      const { reason, message, retryAtMs = resyncAtMs } = error;
      return { reason, message, retryAtMs };
    }
    const isConfig = error instanceof ContainerConfigError;
    const message = describeError(error);
    this.emit(request, 'Warning', 'Failed', `Error: ${message}`);
    const reason = isConfig ? 'CreateContainerConfigError' : 'CreateContainerError';
    const retryAtMs = isConfig ? resyncAtMs : clock.monotonicMs() + settings.retryMs * 2;
    return { reason, message, retryAtMs };
  }

  private emit(
    { pod, start }: StartRequest,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
  ): void {
    this.deps.events.emit(pod, { type, reason, message }, fieldPathOf(pod, start.container));
  }
}

const makeEmptyFile = (path: string): void => {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  writeFileSync(path, '');
  // Whatever user the container runs as may leave its last words.
  chmodSync(path, 0o666);
};

/** 32 hexadecimal digits. */
const randomHex = (random: PodDeps['random']): string =>
  Array.from({ length: 8 }, () =>
    Math.floor(random.next() * 0x10000)
      .toString(16)
      .padStart(4, '0'),
  ).join('');
