import { parentPort } from 'node:worker_threads';
import { unpackLayer, type UnpackJob, type UnpackResult } from './unpack-layer';

/** To the worker. The shared flag becomes non-zero when the job is cancelled. */
export interface UnpackRequest {
  readonly id: number;
  readonly job: UnpackJob;
  readonly cancelled: SharedArrayBuffer;
}

/** Back from it. */
export type UnpackReply =
  | { readonly id: number; readonly result: UnpackResult }
  | { readonly id: number; readonly error: string };

/** The entry point of a worker thread: jobs come in as messages, one reply goes out for each. */
parentPort?.on('message', (request: UnpackRequest) => {
  const flag = new Int32Array(request.cancelled);
  unpackLayer(request.job, () => Atomics.load(flag, 0) !== 0).then(
    (result) => parentPort?.postMessage({ id: request.id, result } satisfies UnpackReply),
    (error: unknown) =>
      parentPort?.postMessage({
        id: request.id,
        error: error instanceof Error ? error.message : String(error),
      } satisfies UnpackReply),
  );
});
