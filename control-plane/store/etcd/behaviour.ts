import { ApiError } from '../../../api/errors';
import type { Log } from '../../../lib/log';
import type { EtcdConnection } from './connection';

export interface EtcdBehaviour {
  /** `3.4.23` */
  readonly version: string;
  /**
   * How a cache of a quiet resource learns that it is up to date. `progress`: by etcd's progress
   * replies and by reading the resource's head; `linearizable`: by reading the head alone, as
   * progress replies of this version may overtake events.
   */
  readonly freshness: 'progress' | 'linearizable';
}

/** Asks etcd for its version and says in the log what follows from it. */
export const detectBehaviour = async (
  connection: EtcdConnection,
  log: Log,
  signal?: AbortSignal,
): Promise<EtcdBehaviour> => {
  const { version, dbSize } = await connection.call(
    ({ maintenance }) => maintenance.status.bind(maintenance),
    {},
    signal,
  );
  if (!/^\d+\.\d+\./.test(version))
    throw new ApiError('ServiceUnavailable', `${connection.name} tells no version of etcd`);
  const behaviour = behaviourOf(version);
  log.info({ ...behaviour, dbSizeBytes: dbSize }, 'connected to etcd');
  return behaviour;
};

export const behaviourOf = (version: string): EtcdBehaviour => ({
  version,
  freshness: isAtLeast(version, TRUSTED_PROGRESS) ? 'progress' : 'linearizable',
});

const TRUSTED_PROGRESS = [3, 5, 22];

const isAtLeast = (version: string, floor: readonly number[]): boolean => {
  const parts = version.split(/[.-]/).map(Number);
  for (const [position, least] of floor.entries()) {
    const part = parts[position] ?? 0;
    if (part !== least) return part > least;
  }
  return true;
};
