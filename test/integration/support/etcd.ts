import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EtcdConnection } from '../../../control-plane/store/etcd/connection';
import { compact } from '../../../control-plane/store/etcd/maintenance';
import {
  openStore,
  type OpenedStore,
  type OpenStoreOptions,
} from '../../../control-plane/store/index';
import { superviseEtcd } from '../../../control-plane/store/etcd/supervise-etcd';
import { revisionOf } from '../../../control-plane/store/version';
import { systemClock } from '../../../lib/clock';
import { silentLog } from '../../../lib/log';

export interface EtcdForTest extends AsyncDisposable {
  readonly opened: OpenedStore;
  readonly endpoint: string;
  readonly socketPath: string;
  readonly dataDir: string;
  readonly runDir: string;
  /** Makes all history up to now unknown. */
  compact(): Promise<void>;
}

/** A real etcd of its own for one test file, gone with its data when disposed. */
export const openEtcd = async (
  options: Pick<OpenStoreOptions, 'quotaBytes' | 'cipher'> = {},
): Promise<EtcdForTest> => {
  const folder = await mkdtemp(join(tmpdir(), 'dhow-store-'));
  const [dataDir, runDir] = [join(folder, 'data'), join(folder, 'run')];
  const opened = await openStore({
    dataDir,
    runDir,
    clock: systemClock,
    log: silentLog,
    ...options,
  }).catch(async (error: unknown) => {
    await rm(folder, { recursive: true, force: true });
    throw error;
  });
  const socketPath = join(runDir, 'etcd-client:0');
  const endpoint = `unix:${socketPath}`;
  const connection = new EtcdConnection({ endpoints: [endpoint] });
  return {
    opened,
    endpoint,
    socketPath,
    dataDir,
    runDir,
    compact: async () => compact(connection, revisionOf(await opened.store.currentVersion())),
    [Symbol.asyncDispose]: async () => {
      connection[Symbol.dispose]();
      await opened[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
};

export interface BareEtcd extends AsyncDisposable {
  readonly endpoint: string;
  readonly socketPath: string;
}

/** An etcd that no server has for its own: for several that share it. */
export const openBareEtcd = async (): Promise<BareEtcd> => {
  const folder = await mkdtemp(join(tmpdir(), 'dhow-etcd-'));
  const [dataDir, runDir] = [join(folder, 'data'), join(folder, 'run')];
  const etcd = await superviseEtcd({ dataDir, runDir, clock: systemClock, log: silentLog });
  return {
    endpoint: etcd.endpoint,
    socketPath: join(runDir, 'etcd-client:0'),
    [Symbol.asyncDispose]: async () => {
      await etcd[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
};
