import { hasReason } from '../../api/errors';
import { compareQuantities } from '../../api/quantity';
import { PERSISTENT_VOLUME_CLAIMS } from '../../api/resources';
import {
  nameKey,
  nameOf,
  uidOf,
  type PersistentVolume,
  type PersistentVolumeClaim,
} from '../../api/types';
import { claimOf, isBoundPair, storageOf } from '../../api/volumes';
import type { ApiClient } from '../../client/api-client';
import type { Log } from '../../lib/log';
import type { VolumeGrown } from '../../proto/gen/dhow/agent/v1/agent';
import type { ObjectView } from './deps';
import { withConflictRetry } from './node-registrar';
import type { NodeVolumes } from './node-volumes';

interface VolumeGrowthDeps {
  readonly client: ApiClient;
  readonly claims: Pick<ObjectView<PersistentVolumeClaim>, 'get'>;
  readonly nodeVolumes: Pick<NodeVolumes, 'volumesOf'>;
  readonly log: Log;
}

/**
 * The node has these volumes as large as it says: their claims are told. Of what no pod of the node uses,
 * and of more than the volume itself says, nothing is believed. Whatever fails, the agent says again.
 */
export const noteGrown = async (
  { client, claims, nodeVolumes, log }: VolumeGrowthDeps,
  nodeName: string,
  grown: readonly VolumeGrown[],
  signal: AbortSignal,
): Promise<void> => {
  if (grown.length === 0) return;
  const own = new Map(nodeVolumes.volumesOf(nodeName).map((each) => [uidOf(each), each]));
  for (const { uid, storage } of grown.slice(0, VOLUMES_MAX)) {
    const volume = own.get(uid);
    const name = volume && claimOf(volume);
    const claim = name && claims.get(nameKey(name));
    if (volume === undefined || claim === undefined) continue;
    try {
      await withConflictRetry(
        claim,
        () => client.get(PERSISTENT_VOLUME_CLAIMS, nameOf(claim), signal),
        async (current) => {
          const next = grownClaim(current, volume, storage);
          const options = { subresource: 'status' } as const;
          return next === undefined
            ? current
            : await client.update(PERSISTENT_VOLUME_CLAIMS, next, options, signal);
        },
      );
    } catch (error) {
      if (signal.aborted) throw error;
      if (!hasReason(error, 'NotFound'))
        log.debug({ claim: claim.metadata.name, err: error }, 'claim not told of its size yet');
    }
  }
};

/**
 * Pure: the claim once its file system has grown; undefined where that is no news.
 * Source: pkg/volume/util, MarkNodeExpansionFinishedWithRecovery
 */
export const grownClaim = (
  claim: PersistentVolumeClaim,
  volume: PersistentVolume,
  storage: string,
): PersistentVolumeClaim | undefined => {
  const told = readable(storage);
  if (!isBoundPair(volume, claim) || told === undefined) return undefined;
  const isBelievable = compareQuantities(told, storageOf(volume.spec?.capacity)) <= 0;
  const isNews = compareQuantities(told, storageOf(claim.status?.capacity)) > 0;
  if (!isBelievable || !isNews) return undefined;
  const { conditions = [], allocatedResourceStatuses = {}, ...status } = claim.status ?? {};
  const left = conditions.filter(({ type }) => !RESIZING.includes(type));
  const { ['storage']: _done, ...others } = allocatedResourceStatuses;
  return {
    ...claim,
    status: {
      ...status,
      capacity: { ...status.capacity, storage },
      ...(left.length === 0 ? {} : { conditions: left }),
      ...(Object.keys(others).length === 0 ? {} : { allocatedResourceStatuses: others }),
    },
  };
};

/** An agent may say anything. */
const readable = (storage: string) => {
  try {
    return storageOf({ storage });
  } catch {
    return undefined;
  }
};

const RESIZING: readonly string[] = [
  ...['Resizing', 'FileSystemResizePending', 'ControllerResizeError', 'NodeResizeError'],
];
/** More than a node has. */
const VOLUMES_MAX = 1_000;
