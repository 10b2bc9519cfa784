import { Worker } from 'node:worker_threads';
import { onAbort } from '../../lib/async/on-abort';
import { LayerError } from './layer-tree';
import { unpackLayer, type UnpackJob, type UnpackResult } from './unpack-layer';
import type { UnpackReply, UnpackRequest } from './unpack-worker';

interface Waiting {
  readonly resolve: (result: UnpackResult) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Runs unpack jobs in a worker thread, so that the main thread stays responsive. The worker lives
 * while there are jobs. Without a `workerPath` the jobs run in this thread.
 */
export class Unpacker implements AsyncDisposable {
  private worker: Worker | undefined;
  private readonly waiting = new Map<number, Waiting>();
  private nextId = 0;

  constructor(private readonly workerPath: string | undefined) {}

  /** @throws LayerError; also when `signal` aborts, soon after. */
  async unpack(job: UnpackJob, signal?: AbortSignal): Promise<UnpackResult> {
    const cancelled = new SharedArrayBuffer(4);
    const flag = new Int32Array(cancelled);
    const cancel = (): void => void Atomics.store(flag, 0, 1);
    if (signal?.aborted === true) cancel();
    onAbort(signal, cancel);
    try {
      if (this.workerPath === undefined) {
        return await unpackLayer(job, () => Atomics.load(flag, 0) !== 0);
      }
      return await this.send(this.workerPath, job, cancelled);
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { worker } = this;
    this.worker = undefined;
    await worker?.terminate();
  }

  private send(path: string, job: UnpackJob, cancelled: SharedArrayBuffer): Promise<UnpackResult> {
    const id = this.nextId++;
    return new Promise<UnpackResult>((resolve, reject) => {
      const worker = (this.worker ??= this.start(path));
      this.waiting.set(id, { resolve, reject });
      worker.postMessage({ id, job, cancelled } satisfies UnpackRequest);
    });
  }

  private start(path: string): Worker {
    const worker = new Worker(path, { resourceLimits: { maxOldGenerationSizeMb: HEAP_MAX_MB } });
    worker.on('message', (reply: UnpackReply) => this.settle(worker, reply));
    worker.on('error', (error) => this.failAll(worker, error));
    worker.on('exit', () => this.failAll(worker, new Error('the unpack worker ended')));
    return worker;
  }

  private settle(worker: Worker, reply: UnpackReply): void {
    const waiting = this.waiting.get(reply.id);
    this.waiting.delete(reply.id);
    if ('result' in reply) waiting?.resolve(reply.result);
    else waiting?.reject(new LayerError(reply.error));
    if (this.waiting.size > 0 || this.worker !== worker) return;
    // Idle: give its memory back.
    this.worker = undefined;
    void worker.terminate();
  }

  private failAll(worker: Worker, error: unknown): void {
    if (this.worker !== worker) return;
    this.worker = undefined;
    for (const { reject } of this.waiting.values()) {
      reject(new LayerError('unpacking failed', { cause: error }));
    }
    this.waiting.clear();
  }
}

const HEAP_MAX_MB = 1024;
