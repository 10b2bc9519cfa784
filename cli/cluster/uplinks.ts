import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../lib/clock';
import {
  closeLabUplink,
  openLabUplink,
  readForwarding,
  writeForwarding,
} from '../../runtime/network/lab-uplink';
import { RUN_DIR } from '../cluster-paths';
import { UsageError } from '../usage-error';
import { lockCluster } from './lock';

/**
 * Gives a cluster's network a way out. It needs the machine to forward packets; the setting that was
 * there before the first cluster is kept on tmpfs, which ends with the setting itself, and is put
 * back when the last cluster with a way out goes. Idempotent.
 */
export const openUplink = (cluster: string, subnet: string, progress: (text: string) => void) =>
  oneAtATime(async () => {
    // Written down before anything is changed: what a crash leaves can be taken back.
    if (!existsSync(BEFORE)) writeFileSync(BEFORE, readForwarding() ? '1' : '0');
    writeFileSync(markOf(cluster), '');
    if (!readForwarding()) {
      progress('turning on forwarding (net.ipv4.ip_forward), which `dhow down` turns off again');
      writeForwarding(true);
    }
    await openLabUplink(cluster, subnet);
  });

/** Takes the way out back, and with the last one what was changed of the machine. Idempotent. */
export const closeUplink = async (cluster: string): Promise<void> => {
  if (!existsSync(markOf(cluster))) return;
  await oneAtATime(async () => {
    await closeLabUplink(cluster);
    rmSync(markOf(cluster), { force: true });
    if (readdirSync(DIRECTORY).some((name) => name.startsWith(MARK))) return;
    if (existsSync(BEFORE) && readFileSync(BEFORE, 'utf8') === '0') writeForwarding(false);
    rmSync(BEFORE, { force: true });
  });
};

/** Two clusters may come and go at once; what they share of the machine is changed by one at a time. */
export const oneAtATime = async <T>(work: () => Promise<T>): Promise<T> => {
  const endMs = systemClock.monotonicMs() + LOCK_TIMEOUT_MS;
  for (;;) {
    try {
      using _lock = await lockCluster(LOCK);
      return await work();
    } catch (error) {
      if (!(error instanceof UsageError) || systemClock.monotonicMs() > endMs) throw error;
    }
    await systemClock.sleep(LOCK_POLL_MS);
  }
};

/** No cluster's name begins with a dot. The folder goes with the last lock that finds it empty. */
const DIRECTORY = join(RUN_DIR, '.uplinks');
const MARK = 'cluster-';
const markOf = (cluster: string): string => join(DIRECTORY, `${MARK}${cluster}`);
const BEFORE = join(DIRECTORY, 'forwarding-before');
const LOCK = join(DIRECTORY, 'lock');
const LOCK_TIMEOUT_MS = 20_000;
const LOCK_POLL_MS = 50;
