import { credentials } from '@grpc/grpc-js';
import { mkdirSync, statSync, watch } from 'node:fs';
import { join } from 'node:path';

import { dns1123SubdomainProblems } from '../../api/names';
import { Alarm } from '../../lib/async/alarm';
import { backoffMs } from '../../lib/async/backoff';
import type { Clock } from '../../lib/clock';
import { describeError, type Log } from '../../lib/log';
import type { Random } from '../../lib/random';
import { CsiDriver as DriverReport } from '../../proto/gen/dhow/agent/v1/agent';
import { RegistrationClient, type PluginInfo } from '../../proto/gen/pluginregistration/v1/api';
import { hasErrorCode, listFolderSync } from '../files';
import { csiDriverAt, unaryCall, type CsiDriver } from './csi-driver';

interface PluginRegistryDeps {
  /** Where plugins put their sockets; made if it is missing. */
  readonly folder: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** A socket that was seen, and what is behind it. */
interface Plugin {
  /** Another socket of the same name is another plugin. */
  readonly identity: string;
  readonly driver?: CsiDriver;
  readonly report?: DriverReport;
  readonly failureCount: number;
  /** Monotonic; when it is asked again. */
  readonly retryAtMs: number;
}

/**
 * Knows the CSI drivers of this node: each puts a socket into the folder, behind which it says where its own
 * is. It is one for as long as its socket is there. Source: pkg/kubelet/pluginmanager
 */
export class PluginRegistry {
  private readonly plugins = new Map<string, Plugin>();
  private hasLooked = false;
  private readonly alarm: Alarm;
  private announce: () => void = () => undefined;
  private changed: () => void = () => undefined;
  /** Grows with every change of what the server is to be told. */
  version = 0;

  constructor(private readonly deps: PluginRegistryDeps) {
    this.alarm = new Alarm(deps.clock);
  }

  /** @throws Error while there is no such driver, in upstream's words */
  driver(name: string): CsiDriver {
    const found = [...this.plugins.values()].findLast(({ report }) => report?.name === name);
    if (found?.driver === undefined)
      throw new Error(`driver name ${name} not found in the list of registered CSI drivers`);
    return found.driver;
  }

  /** What the server is to know; undefined before the first look. */
  toReport(): DriverReport[] | undefined {
    if (!this.hasLooked) return undefined;
    const byName = new Map<string, DriverReport>();
    for (const { report } of this.plugins.values())
      if (report !== undefined) byName.set(report.name, report);
    return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** For who tells the server. */
  onChanged(listener: () => void): void {
    this.announce = listener;
  }

  /** For who waits for a driver. */
  onDrivers(listener: () => void): void {
    this.changed = listener;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { folder, log } = this.deps;
    mkdirSync(folder, { recursive: true, mode: 0o750 });
    using watcher = watching(folder, () => this.alarm.wake());
    if (watcher === undefined) log.warn({ folder }, 'plugins are looked for now and then only');
    while (!signal.aborted) {
      const { wakes } = this.alarm;
      try {
        await this.look(signal);
      } catch (error) {
        log.warn({ err: describeError(error) }, 'plugins cannot be looked for');
      }
      await this.alarm.sleep(LOOK_MS, signal, wakes);
    }
  }

  private async look(signal: AbortSignal): Promise<void> {
    const { folder, clock } = this.deps;
    const sockets = new Map(
      listFolderSync(folder)
        .filter((name) => !name.startsWith('.'))
        .flatMap((name) => {
          const identity = identityOf(join(folder, name));
          return identity === undefined ? [] : [[name, identity] as const];
        })
        .slice(0, PLUGINS_MAX),
    );
    for (const [name, { identity, report }] of this.plugins) {
      if (sockets.get(name) === identity) continue;
      this.plugins.delete(name);
      if (report !== undefined) this.tell();
    }
    const due = [...sockets].filter(([name]) => {
      const known = this.plugins.get(name);
      return (
        known === undefined ||
        (known.driver === undefined && known.retryAtMs <= clock.monotonicMs())
      );
    });
    await Promise.all(due.map(([name, identity]) => this.register(name, identity, signal)));
    if (this.hasLooked) return;
    this.hasLooked = true;
    this.tell();
  }

  private async register(name: string, identity: string, signal: AbortSignal): Promise<void> {
    const { folder, clock, random, log } = this.deps;
    const failureCount = this.plugins.get(name)?.failureCount ?? 0;
    const path = join(folder, name);
    try {
      const limit = { limitMs: REGISTER_LIMIT_MS, clock, signal };
      const info = await withRegistration(path, (client) =>
        unaryCall<PluginInfo>((done) => client.getInfo({}, done), limit),
      );
      const found = await this.open(path, info, signal).catch(async (error: unknown) => {
        await this.answer(path, describeError(error), signal).catch(() => undefined);
        throw error;
      });
      this.plugins.set(name, { identity, ...found, failureCount: 0, retryAtMs: Infinity });
      log.info({ driver: info.name }, 'CSI driver registered');
      this.tell();
      await this.answer(path, '', signal);
    } catch (error) {
      if (signal.aborted) return;
      const delayMs = backoffMs(failureCount, BACKOFF, random);
      const retryAtMs = clock.monotonicMs() + delayMs;
      if (this.plugins.get(name)?.driver === undefined)
        this.plugins.set(name, { identity, failureCount: failureCount + 1, retryAtMs });
      log.warn({ plugin: name, err: describeError(error) }, 'plugin not registered');
    }
  }

  /** @throws Error when it is no driver that can be used here */
  private async open(
    path: string,
    { type, name, endpoint, supportedVersions }: PluginInfo,
    signal: AbortSignal,
  ): Promise<Required<Pick<Plugin, 'driver' | 'report'>>> {
    if (type !== 'CSIPlugin') throw new Error(`plugins of type ${type} are not supported`);
    if (dns1123SubdomainProblems(name).length > 0)
      throw new Error(`"${name}" is no name of a CSI driver`);
    if (!supportedVersions.some((version) => /^v?1\.\d+/.test(version)))
      throw new Error(
        `CSI driver ${name} supports no version of this node: ${supportedVersions.join(', ')}`,
      );
    const driver = csiDriverAt(endpoint === '' ? path : endpoint, this.deps.clock);
    const { nodeId, maxVolumesPerNode, accessibleTopology } = await driver.info(signal);
    if (nodeId === '') throw new Error(`CSI driver ${name} has no name for this node`);
    const topology = accessibleTopology?.segments ?? {};
    const volumeCountMax = maxVolumesPerNode > 0n ? maxVolumesPerNode : 0n;
    const report = { name, nodeId, volumeCountMax, topology };
    if (DriverReport.encode(report).finish().length > REPORT_BYTES_MAX)
      throw new Error(`CSI driver ${name} says more of this node than the server can be told`);
    return { driver, report };
  }

  private async answer(path: string, error: string, signal: AbortSignal): Promise<void> {
    const status = { pluginRegistered: error === '', error };
    const limit = { limitMs: REGISTER_LIMIT_MS, clock: this.deps.clock, signal };
    await withRegistration(path, (client) =>
      unaryCall((done) => client.notifyRegistrationStatus(status, done), limit),
    );
  }

  private tell(): void {
    this.version++;
    this.announce();
    this.changed();
  }
}

const withRegistration = async <T>(
  path: string,
  work: (client: RegistrationClient) => Promise<T>,
): Promise<T> => {
  const client = new RegistrationClient(`unix:${path}`, credentials.createInsecure());
  try {
    return await work(client);
  } finally {
    client.close();
  }
};

/** Undefined when there is no socket. */
const identityOf = (path: string): string | undefined => {
  try {
    const stats = statSync(path);
    return stats.isSocket() ? `${stats.dev} ${stats.ino} ${stats.ctimeMs}` : undefined;
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT', 'ELOOP')) return undefined;
    throw error;
  }
};

/** Undefined where the kernel watches no more: then it is looked at now and then. */
const watching = (folder: string, onChange: () => void): Disposable | undefined => {
  try {
    const watcher = watch(folder, onChange).on('error', () => undefined);
    return { [Symbol.dispose]: () => watcher.close() };
  } catch {
    return undefined;
  }
};

const LOOK_MS = 1_000;
const PLUGINS_MAX = 100;
/** All of them go in one message. More than the server shows of any. */
const REPORT_BYTES_MAX = 16 << 10;
const REGISTER_LIMIT_MS = 10_000;
const BACKOFF = { initialMs: 500, maxMs: 30_000 };
