import type { Clock } from '../../lib/clock';
import type { Log } from '../../lib/log';
import type { Random } from '../../lib/random';
import type { EndpointsFor } from './endpoints';

export interface ImageServiceOptions {
  /** Folder for blobs, snapshots and the index; made if missing, 0700. One process at a time. */
  readonly stateDir: string;
  readonly endpoints: EndpointsFor;
  /** The bundled `unpack-worker.js`. Absent: layers are unpacked in this process. */
  readonly workerPath?: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
}
