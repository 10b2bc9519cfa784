import { credentials } from '@grpc/grpc-js';

import { onAbort } from '../../lib/async/on-abort';
import type { Clock } from '../../lib/clock';
import {
  DevicePluginClient,
  type AllocateResponse,
  type DevicePluginOptions,
  type PreferredAllocationResponse,
} from '../../proto/gen/deviceplugin/v1beta1/api';
import { unaryCall, type Done } from '../csi/csi-driver';
import type { Grant } from './device-store';
import type { DeviceSource } from './source';

interface PluginDeps {
  readonly socket: string;
  readonly options: DevicePluginOptions;
  readonly onChange: () => void;
  readonly clock: Clock;
}

/** A device plugin, by its socket: it is one for as long as its list of devices keeps coming. */
export class PluginSource implements DeviceSource, Disposable {
  private readonly client: DevicePluginClient;
  private known: ReadonlyMap<string, boolean> = new Map();
  private cancel: () => void = () => undefined;
  isGone = false;

  constructor(private readonly deps: PluginDeps) {
    this.client = new DevicePluginClient(`unix:${deps.socket}`, credentials.createInsecure());
  }

  /** Resolves when the plugin has ended, or `signal` aborts. Never rejects. */
  watch(signal: AbortSignal): Promise<void> {
    const { onChange } = this.deps;
    const stream = this.client.listAndWatch({});
    this.cancel = () => stream.cancel();
    const release = onAbort(signal, this.cancel);
    // Ended by the plugin's end, by its error, by the signal or by `dispose`.

    return new Promise((resolve) => {
      const end = () => {
        release();
        if (!this.isGone) {
          this.isGone = true;
          this.client.close();
          onChange();
        }
        resolve();
      };
      stream.on('data', ({ devices }: { devices: { ID: string; health: string }[] }) => {
        const list = devices.slice(0, DEVICES_MAX);
        this.known = new Map(list.map(({ ID, health }) => [ID, health === 'Healthy']));
        onChange();
      });
      stream.on('end', end);
      stream.on('error', end);
    });
  }

  devices(): ReadonlyMap<string, boolean> | undefined {
    if (!this.isGone) return this.known;
    return this.known.size === 0
      ? undefined
      : new Map([...this.known.keys()].map((id) => [id, false]));
  }

  async prefer(
    { available, mustInclude, count }: Parameters<DeviceSource['prefer']>[0],
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    if (!this.deps.options.getPreferredAllocationAvailable || this.isGone) return [];
    const request = {
      availableDeviceIDs: [...available],
      mustIncludeDeviceIDs: [...mustInclude],
      allocationSize: count,
    };
    const { containerResponses } = await unaryCall(
      (done: Done<PreferredAllocationResponse>) =>
        this.client.getPreferredAllocation({ containerRequests: [request] }, done),
      this.limit(signal),
    );
    return containerResponses[0]?.deviceIDs ?? [];
  }

  async allocate(ids: readonly string[], signal: AbortSignal): Promise<Grant> {
    this.checkThere();
    const { containerResponses } = await unaryCall(
      (done: Done<AllocateResponse>) =>
        this.client.allocate({ containerRequests: [{ devicesIds: [...ids] }] }, done),
      this.limit(signal),
    );
    const [response] = containerResponses;
    if (response === undefined) throw new Error('no containers return in allocation response');
    const { envs, mounts, devices, cdiDevices } = response;
    return { envs, mounts, devices, cdiDevices };
  }

  async preStart(ids: readonly string[], signal: AbortSignal): Promise<void> {
    if (!this.deps.options.preStartRequired) return;
    this.checkThere();
    await unaryCall<unknown>(
      (done) => this.client.preStartContainer({ devicesIds: [...ids] }, done),
      this.limit(signal),
    );
  }

  /** A client that is closed lets its streams run on. */
  [Symbol.dispose](): void {
    this.isGone = true;
    this.cancel();
    this.client.close();
  }

  private checkThere(): void {
    if (this.isGone) throw new Error(`endpoint ${this.deps.socket} has been stopped`);
  }

  private limit(signal: AbortSignal) {
    return { limitMs: CALL_LIMIT_MS, clock: this.deps.clock, signal };
  }
}

const DEVICES_MAX = 10_000;
/** Of one call; the kubelet gives a plugin 30 seconds to start a container (KubeletPluginInit). */
const CALL_LIMIT_MS = 30_000;
