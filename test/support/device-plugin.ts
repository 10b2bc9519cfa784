import {
  credentials,
  Server,
  ServerCredentials,
  status,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServerWritableStream,
} from '@grpc/grpc-js';
import { rmSync } from 'node:fs';
import { join } from 'node:path';

import {
  DevicePluginService,
  RegistrationClient,
  type AllocateRequest,
  type ContainerAllocateResponse,
  type DevicePluginOptions,
  type Empty,
  type ListAndWatchResponse,
  type PreferredAllocationRequest,
  type PreStartContainerRequest,
  type RegisterRequest,
} from '../../proto/gen/deviceplugin/v1beta1/api';

export interface DevicePluginOptionsOfTest {
  readonly resource: string;
  /** The node's folder for device plugins. */
  readonly folder: string;
  readonly options?: Partial<DevicePluginOptions>;
  /** How a container gets these. */
  readonly answer: (ids: readonly string[]) => Partial<ContainerAllocateResponse>;
  readonly register?: Partial<RegisterRequest>;
}

/** A device plugin to the letter of the kubelet's v1beta1. */
export class TestDevicePlugin implements AsyncDisposable {
  readonly allocations: string[][] = [];
  readonly starts: string[][] = [];
  readonly preferences: PreferredAllocationRequest[] = [];
  /** From which the node has, or had, its devices. */
  streamCount = 0;
  /** The error of the next allocations; '': none. */
  refusal = '';
  prefer: (available: readonly string[], count: number) => string[] = (ids, n) => ids.slice(-n);
  private readonly devices = new Map<string, boolean>();
  private readonly watchers = new Set<ServerWritableStream<Empty, ListAndWatchResponse>>();
  private readonly server = new Server();

  private constructor(private readonly given: DevicePluginOptionsOfTest) {}

  static async start(given: DevicePluginOptionsOfTest, ids: readonly string[]) {
    const plugin = new TestDevicePlugin(given);
    for (const id of ids) plugin.devices.set(id, true);
    await plugin.serve();
    try {
      await plugin.register();
    } catch (error) {
      await plugin[Symbol.asyncDispose]();
      throw error;
    }
    return plugin;
  }

  /** How many of its streams are open. */
  get watcherCount(): number {
    return this.watchers.size;
  }

  setHealth(id: string, isHealthy: boolean): void {
    this.devices.set(id, isHealthy);
    for (const watcher of this.watchers) watcher.write(this.list());
  }

  /** @throws Error with what the node says against it */
  register(more: Partial<RegisterRequest> = {}): Promise<void> {
    const { folder, resource, options, register } = this.given;
    const client = new RegistrationClient(
      `unix:${join(folder, 'kubelet.sock')}`,
      credentials.createInsecure(),
    );
    const all = { preStartRequired: false, getPreferredAllocationAvailable: false, ...options };
    const request = { version: 'v1beta1', endpoint: this.endpoint, resourceName: resource };
    return new Promise((resolve, reject) => {
      client.register({ ...request, options: all, ...register, ...more }, (error) => {
        client.close();
        if (error === null) resolve();
        else reject(new Error(error.details));
      });
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.server.forceShutdown();
    rmSync(join(this.given.folder, this.endpoint), { force: true });
    return Promise.resolve();
  }

  private get endpoint(): string {
    return `${this.given.resource.replace('/', '-')}.sock`;
  }

  private list(): ListAndWatchResponse {
    const devices = [...this.devices].map(([ID, isHealthy]) => ({
      ID,
      health: isHealthy ? 'Healthy' : 'Unhealthy',
      topology: undefined,
    }));
    return { devices };
  }

  private async serve(): Promise<void> {
    this.server.addService(DevicePluginService, {
      getDevicePluginOptions: (_call: unknown, done: sendUnaryData<unknown>) =>
        done(null, this.given.options ?? {}),
      listAndWatch: (stream: ServerWritableStream<Empty, ListAndWatchResponse>) => {
        this.streamCount++;
        this.watchers.add(stream);
        stream.on('cancelled', () => this.watchers.delete(stream));
        stream.write(this.list());
      },
      getPreferredAllocation: (
        { request }: ServerUnaryCall<PreferredAllocationRequest, unknown>,
        done: sendUnaryData<unknown>,
      ) => {
        this.preferences.push(request);
        const containerResponses = request.containerRequests.map(
          ({ availableDeviceIDs, allocationSize }) => ({
            deviceIDs: this.prefer(availableDeviceIDs, allocationSize),
          }),
        );
        done(null, { containerResponses });
      },
      allocate: (
        { request }: ServerUnaryCall<AllocateRequest, unknown>,
        done: sendUnaryData<unknown>,
      ) => {
        if (this.refusal !== '') {
          done({ code: status.UNKNOWN, details: this.refusal });
          return;
        }
        const containerResponses = request.containerRequests.map(({ devicesIds }) => {
          this.allocations.push(devicesIds);
          const empty = { envs: {}, mounts: [], devices: [], annotations: {}, cdiDevices: [] };
          return { ...empty, ...this.given.answer(devicesIds) };
        });
        done(null, { containerResponses });
      },
      preStartContainer: (
        { request }: ServerUnaryCall<PreStartContainerRequest, unknown>,
        done: sendUnaryData<unknown>,
      ) => {
        this.starts.push(request.devicesIds);
        done(null, {});
      },
    });
    const path = join(this.given.folder, this.endpoint);
    rmSync(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
  }
}
