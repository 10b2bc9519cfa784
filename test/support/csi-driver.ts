import {
  Server,
  ServerCredentials,
  status,
  type ServerUnaryCall,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { mountPointsIn } from '../../lib/mount-points';
import {
  NodeService,
  NodeServiceCapability_RPC_Type as Capability,
  type NodeExpandVolumeRequest,
  type NodeGetInfoResponse,
  type NodeGetVolumeStatsResponse,
  type NodePublishVolumeRequest,
  type NodeStageVolumeRequest,
  type VolumeCapability,
} from '../../proto/gen/csi/v1/node';
import { RegistrationService } from '../../proto/gen/pluginregistration/v1/api';
import { LoopDevice, makeSparse } from './loop-device';

export interface CsiDriverOptions {
  readonly name: string;
  /** For its socket and the volumes, each a folder by its handle. */
  readonly folder: string;
  /** The node's folder for the sockets of plugins. */
  readonly registry: string;
  readonly info?: Partial<NodeGetInfoResponse>;
  readonly capabilities?: readonly Capability[];
}

type Call = 'stage' | 'publish' | 'unpublish' | 'unstage' | 'expand';

/**
 * A driver for the node, to the letter of CSI: its volumes are folders, staged and published by bind
 * mounts, or loop devices over a file, published by bind mounts of their nodes.
 */
export class TestCsiDriver implements AsyncDisposable {
  /** `stage HANDLE`, in order, calls that failed on purpose included. */
  readonly calls: string[] = [];
  readonly stages: NodeStageVolumeRequest[] = [];
  readonly publishes: NodePublishVolumeRequest[] = [];
  readonly expansions: NodeExpandVolumeRequest[] = [];
  /** What it says of every volume. */
  stats: NodeGetVolumeStatsResponse = { usage: [], volumeCondition: undefined };
  readonly registrations: { readonly pluginRegistered: boolean; readonly error: string }[] = [];
  /** Runs in each call after its work; what it throws is what the caller hears. */
  afterCall: (call: Call) => void = () => undefined;
  private readonly servers: Server[] = [];
  /** By handle. */
  private readonly disks = new Map<string, LoopDevice>();

  private constructor(private readonly options: CsiDriverOptions) {}

  static async start(options: CsiDriverOptions): Promise<TestCsiDriver> {
    const driver = new TestCsiDriver(options);
    mkdirSync(options.folder, { recursive: true });
    mkdirSync(options.registry, { recursive: true });
    await driver.serveNode();
    await driver.register();
    return driver;
  }

  volumePath(handle: string): string {
    const path = join(this.options.folder, 'volumes', handle);
    mkdirSync(path, { recursive: true });
    return path;
  }

  /** What a block volume holds: zeros at first. */
  blockFile(handle: string): string {
    const file = join(this.options.folder, `${handle}.img`);
    if (!existsSync(file)) makeSparse(file, BLOCK_BYTES);
    return file;
  }

  /** Block volumes whose devices are there. */
  get diskCount(): number {
    return this.disks.size;
  }

  unregister(): void {
    rmSync(join(this.options.registry, `${this.options.name}-reg.sock`), { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.unregister();
    for (const server of this.servers) server.forceShutdown();
    for (const handle of [...this.disks.keys()]) this.detach(handle);
    rmSync(this.options.folder, { recursive: true, force: true });
    return Promise.resolve();
  }

  private get socket(): string {
    return join(this.options.folder, 'csi.sock');
  }

  private async register(): Promise<void> {
    const { name, registry } = this.options;
    const server = new Server();
    server.addService(RegistrationService, {
      getInfo: (_call: unknown, done: sendUnaryData<unknown>) =>
        done(null, {
          type: 'CSIPlugin',
          name,
          endpoint: this.socket,
          supportedVersions: ['1.0.0'],
        }),
      notifyRegistrationStatus: (
        { request }: ServerUnaryCall<TestCsiDriver['registrations'][number], unknown>,
        done: sendUnaryData<unknown>,
      ) => {
        this.registrations.push(request);
        done(null, {});
      },
    });
    await listen(server, join(registry, `${name}-reg.sock`));
    this.servers.push(server);
  }

  private async serveNode(): Promise<void> {
    const { info, capabilities = [Capability.STAGE_UNSTAGE_VOLUME] } = this.options;
    const server = new Server();
    server.addService(NodeService, {
      nodeGetInfo: (_call: unknown, done: sendUnaryData<unknown>) =>
        done(null, {
          nodeId: 'test-node',
          maxVolumesPerNode: 0n,
          accessibleTopology: undefined,
          ...info,
        }),
      nodeGetCapabilities: (_call: unknown, done: sendUnaryData<unknown>) =>
        done(null, {
          capabilities: capabilities.map((type) => ({ type: { $case: 'rpc', value: { type } } })),
        }),
      ...this.mountedHandlers,
      nodeStageVolume: this.handler('stage', (request: NodeStageVolumeRequest) => {
        this.stages.push(request);
        if (isBlock(request)) this.attach(request.volumeId);
        else bind(this.volumePath(request.volumeId), request.stagingTargetPath);
      }),
      nodePublishVolume: this.handler('publish', (request: NodePublishVolumeRequest) => {
        this.publishes.push(request);
        if (isBlock(request)) {
          this.publishBlock(request);
          return;
        }
        mkdirSync(request.targetPath, { recursive: true });
        const { volumeId, stagingTargetPath, targetPath } = request;
        bind(stagingTargetPath === '' ? this.volumePath(volumeId) : stagingTargetPath, targetPath);
        if (request.readonly) execFileSync('mount', ['-o', 'remount,bind,ro', targetPath]);
      }),
      nodeUnpublishVolume: this.handler(
        'unpublish',
        ({ targetPath }: { volumeId: string; targetPath: string }) => {
          unbind(targetPath);
          if (!existsSync(targetPath)) return;
          if (lstatSync(targetPath).isDirectory()) rmdirSync(targetPath);
          else rmSync(targetPath);
        },
      ),
      nodeUnstageVolume: this.handler(
        'unstage',
        ({ volumeId, stagingTargetPath }: { volumeId: string; stagingTargetPath: string }) => {
          unbind(stagingTargetPath);
          this.detach(volumeId);
        },
      ),
    });
    await listen(server, this.socket);
    this.servers.push(server);
  }

  /** What can be asked of a volume that is mounted. */
  private get mountedHandlers() {
    return {
      nodeExpandVolume: this.handler('expand', (request: NodeExpandVolumeRequest) => {
        this.expansions.push(request);
        if (!isMounted(request.volumePath)) throw new Error('it is not mounted');
        if (isBlock(request)) this.growDisk(request);
        return { capacityBytes: request.capacityRange?.requiredBytes ?? 0n };
      }),
      nodeGetVolumeStats: (_call: unknown, done: sendUnaryData<unknown>) => done(null, this.stats),
    };
  }

  private attach(handle: string): LoopDevice {
    const disk = this.disks.get(handle) ?? LoopDevice.attach({ file: this.blockFile(handle) });
    this.disks.set(handle, disk);
    return disk;
  }

  private detach(handle: string): void {
    this.disks.get(handle)?.[Symbol.dispose]();
    this.disks.delete(handle);
  }

  private publishBlock({ volumeId, targetPath }: NodePublishVolumeRequest): void {
    const { path } = this.attach(volumeId);
    if (!existsSync(targetPath)) writeFileSync(targetPath, '');
    bind(path, targetPath);
  }

  private growDisk({ volumeId, capacityRange }: NodeExpandVolumeRequest): void {
    truncateSync(this.blockFile(volumeId), Number(capacityRange?.requiredBytes ?? 0n));
    execFileSync('losetup', ['--set-capacity', this.attach(volumeId).path]);
  }

  private handler<Request extends { readonly volumeId: string }>(
    call: Call,
    work: (request: Request) => unknown,
  ) {
    return ({ request }: ServerUnaryCall<Request, unknown>, done: sendUnaryData<unknown>) => {
      this.calls.push(`${call} ${request.volumeId}`);
      try {
        const response = work(request) ?? {};
        this.afterCall(call);
        done(null, response);
      } catch (error) {
        done({ code: status.INTERNAL, details: error instanceof Error ? error.message : '' });
      }
    };
  }
}

const BLOCK_BYTES = 1 << 20;

const isBlock = ({
  volumeCapability,
}: {
  readonly volumeCapability?: VolumeCapability | undefined;
}) => volumeCapability?.accessType?.$case === 'block';

/** Asked again, it leaves it as it is. */
const bind = (source: string, target: string): void => {
  if (isMounted(target)) return;
  execFileSync('mount', ['--bind', source, target]);
};

const isMounted = (path: string): boolean =>
  mountPointsIn(path).some((found) => found.toString() === path);

const unbind = (path: string): void => {
  if (isMounted(path)) execFileSync('umount', [path]);
};

/** How many mounts there are at or below the folder. */
export const mountCount = (folder: string): number => mountPointsIn(folder).length;

/** Names of what is in it. */
export const namesIn = (folder: string): readonly string[] => {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
};

const listen = (server: Server, path: string): Promise<void> =>
  new Promise((resolve, reject) => {
    rmSync(path, { force: true });
    server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    );
  });
