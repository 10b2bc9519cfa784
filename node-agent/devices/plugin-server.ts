import {
  Server,
  ServerCredentials,
  status,
  type sendUnaryData,
  type ServerUnaryCall,
} from '@grpc/grpc-js';
import { chmodSync, lstatSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { qualifiedNameProblems } from '../../api/names';
import { isExtendedResource } from '../../api/resource-names';
import { TaskGroup } from '../../lib/async/task-group';
import type { Clock } from '../../lib/clock';
import { describeError, type Log } from '../../lib/log';
import {
  RegistrationService,
  type Empty,
  type RegisterRequest,
} from '../../proto/gen/deviceplugin/v1beta1/api';
import { listFolderSync } from '../files';
import type { DeviceManager } from './device-manager';
import { PluginSource } from './plugin-source';

interface PluginServerDeps {
  /** Where plugins put their sockets, beside the node's own; made if it is missing. */
  readonly folder: string;
  readonly manager: Pick<DeviceManager, 'offer'>;
  /** What plugins offer has changed. */
  readonly onChange: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** Where device plugins make themselves known. Source: devicemanager/plugin/v1beta1/server.go */
export class PluginServer {
  private readonly plugins = new Map<string, PluginSource>();

  constructor(private readonly deps: PluginServerDeps) {}

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.deps;
    await using watches = new TaskGroup(signal);
    while (!signal.aborted) {
      try {
        await this.serve(watches, signal);
      } catch (error) {
        log.warn({ err: describeError(error) }, 'device plugins cannot make themselves known');
      }
      await clock.sleep(RETRY_MS, signal);
    }
    for (const plugin of this.plugins.values()) plugin[Symbol.dispose]();
  }

  /** Until `signal` aborts. @throws Error when the socket cannot be had */
  private async serve(watches: TaskGroup, signal: AbortSignal): Promise<void> {
    const { folder, clock } = this.deps;
    mkdirSync(folder, { recursive: true, mode: 0o750 });
    // A plugin knows by this that it has to make itself known again.
    for (const name of listFolderSync(folder)) removeSocket(join(folder, name));
    const server = new Server();
    server.addService(RegistrationService, {
      register: (
        { request }: ServerUnaryCall<RegisterRequest, Empty>,
        done: sendUnaryData<Empty>,
      ) => {
        const problem = problemOf(request) ?? this.excessOf(request);
        if (problem !== undefined) {
          this.deps.log.warn(
            { plugin: request.resourceName, err: problem },
            'plugin not registered',
          );
          done({ code: status.UNKNOWN, details: problem });
          return;
        }
        done(null, {});
        this.register(request, watches);
      },
    });
    const path = join(folder, SOCKET);
    try {
      await bind(server, path);
      chmodSync(path, 0o700);
      while (!signal.aborted) await clock.sleep(LOOK_MS, signal);
    } finally {
      server.forceShutdown();
    }
  }

  /** Each is told to the server, and kept for the next agent. */
  private excessOf({ resourceName }: RegisterRequest): string | undefined {
    return this.plugins.size < RESOURCES_MAX || this.plugins.has(resourceName)
      ? undefined
      : `there are ${RESOURCES_MAX} resources of plugins already`;
  }

  private register({ resourceName, endpoint, options }: RegisterRequest, watches: TaskGroup): void {
    const { folder, manager, onChange, clock, log } = this.deps;
    this.plugins.get(resourceName)?.[Symbol.dispose]();
    const plugin = new PluginSource({
      socket: join(folder, endpoint),
      options: options ?? { preStartRequired: false, getPreferredAllocationAvailable: false },
      onChange,
      clock,
    });
    this.plugins.set(resourceName, plugin);
    manager.offer(resourceName, plugin);
    log.info({ resource: resourceName }, 'device plugin registered');
    watches.run(async (signal) => {
      await plugin.watch(signal);
      const isLatest = this.plugins.get(resourceName) === plugin;
      if (isLatest && !signal.aborted)
        log.warn({ resource: resourceName }, 'device plugin has ended');
    });
  }
}

const problemOf = ({ version, endpoint, resourceName }: RegisterRequest): string | undefined => {
  if (version !== VERSION)
    return `requested API version "${version}" is not supported by kubelet. Supported version is ["${VERSION}"]`;
  if (!isExtendedResource(resourceName) || qualifiedNameProblems(resourceName).length > 0)
    return `the ResourceName "${resourceName}" is invalid`;
  if (!/^[^/\0]+$/.test(endpoint) || endpoint === SOCKET || endpoint.startsWith('.'))
    return `the endpoint "${endpoint}" is no name of a socket`;
  return undefined;
};

const bind = (server: Server, path: string): Promise<void> =>
  // The library calls back at once, or with an error.

  new Promise((resolve, reject) => {
    server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });

const removeSocket = (path: string): void => {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true)
    rmSync(path, { force: true });
};

const VERSION = 'v1beta1';
const SOCKET = 'kubelet.sock';
/** More than a node has. */
const RESOURCES_MAX = 128;
const RETRY_MS = 10_000;
const LOOK_MS = 60_000;
