import { join } from 'node:path';
import { NAMESPACES } from '../../api/resources';
import { ApiEventRecorder } from '../../client/events';
import type { ApiClient } from '../../client/api-client';
import type { Clock } from '../../lib/clock';
import type { Log } from '../../lib/log';
import type { ServerConfig } from '../config';
import { readPassphrase, saveSnapshot, SNAPSHOTS_FOLDER } from './save';
import { SCHEDULED_PREFIX, ScheduledSnapshots } from './scheduled-snapshots';

export interface SnapshotsDeps {
  readonly config: ServerConfig;
  readonly client: ApiClient;
  readonly version: string;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * The snapshots that a server is told to make; none where it is not. A passphrase that cannot be read is
 * told of at once, and not at night. @throws Error
 */
export const snapshotsOf = async ({
  config,
  client,
  version,
  clock,
  log,
}: SnapshotsDeps): Promise<readonly ScheduledSnapshots[]> => {
  const { snapshotSchedule: schedule, snapshotPassphraseFile: file, dataDir } = config;
  if (schedule === undefined) return [];
  if ((file === undefined) === !config.snapshotUnsealed)
    throw new Error(
      'a snapshot holds the keys of the cluster: --snapshot-schedule needs --snapshot-passphrase-file, or --snapshot-unsealed',
    );
  const passphrase = async () => (file === undefined ? undefined : readPassphrase(file));
  await passphrase();
  const folder = config.snapshotDir ?? join(dataDir, SNAPSHOTS_FOLDER);
  const events = new ApiEventRecorder({ client, clock, log, component: 'dhow-server' });
  const options = { dataDir, folder, prefix: SCHEDULED_PREFIX, dhowVersion: version, clock };
  return [
    new ScheduledSnapshots({
      ...{ schedule, folder, retention: config.snapshotRetention, clock, log },
      save: async (signal) => saveSnapshot({ ...options, passphrase: await passphrase() }, signal),
      onFailure: (why) =>
        events.event(NAMESPACES, SYSTEM_NAMESPACE, 'Warning', 'SnapshotFailed', why),
    }),
  ];
};

const SYSTEM_NAMESPACE = {
  ...{ apiVersion: 'v1', kind: 'Namespace' },
  metadata: { name: 'kube-system' },
};
