import { parentPort, Worker } from 'node:worker_threads';

import { describeError } from '../describe-error';
import { onAbort } from './on-abort';

/** Does one job; asks `isCancelled` now and then, and gives other jobs their turn. */
export type JobRunner<Job, Result> = (job: Job, isCancelled: () => boolean) => Promise<Result>;

export interface JobThreadOptions<Job, Result> {
  /** A bundled file that calls `serveJobs` with the same runner. Absent: jobs run in this thread. */
  readonly path: string | undefined;
  readonly run: JobRunner<Job, Result>;
  readonly heapMaxMb: number;
}

/** To the thread. The shared flag becomes non-zero when the job is cancelled. */
interface JobRequest<Job> {
  readonly id: number;
  readonly job: Job;
  readonly cancelled: SharedArrayBuffer;
}

/** Back from it. */
type JobReply<Result> =
  | { readonly id: number; readonly result: Result }
  | { readonly id: number; readonly error: string };

interface Waiting<Result> {
  readonly resolve: (result: Result) => void;
  readonly reject: (error: Error) => void;
}

/** Runs jobs in a worker thread, so that this one stays responsive. The thread lives while there are jobs. */
export class JobThread<Job, Result> implements AsyncDisposable {
  private worker: Worker | undefined;
  private readonly waiting = new Map<number, Waiting<Result>>();
  private nextId = 0;

  constructor(private readonly options: JobThreadOptions<Job, Result>) {}

  /** @throws what the job throws, as an Error with its message; also when `signal` aborts, soon after. */
  async run(job: Job, signal?: AbortSignal): Promise<Result> {
    const cancelled = new SharedArrayBuffer(4);
    const flag = new Int32Array(cancelled);
    const cancel = (): void => void Atomics.store(flag, 0, 1);
    if (signal?.aborted === true) cancel();
    const forget = onAbort(signal, cancel);
    const { path, run } = this.options;
    try {
      if (path === undefined) return await run(job, () => Atomics.load(flag, 0) !== 0);
      return await this.send(path, job, cancelled);
    } finally {
      forget();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { worker } = this;
    this.worker = undefined;
    await worker?.terminate();
  }

  private send(path: string, job: Job, cancelled: SharedArrayBuffer): Promise<Result> {
    const id = this.nextId++;
    return new Promise<Result>((resolve, reject) => {
      const worker = (this.worker ??= this.start(path));
      this.waiting.set(id, { resolve, reject });
      worker.postMessage({ id, job, cancelled } satisfies JobRequest<Job>);
    });
  }

  private start(path: string): Worker {
    const { heapMaxMb } = this.options;
    const worker = new Worker(path, { resourceLimits: { maxOldGenerationSizeMb: heapMaxMb } });
    worker.on('message', (reply: JobReply<Result>) => this.settle(worker, reply));
    worker.on('error', (error) => this.failAll(worker, error));
    worker.on('exit', () => this.failAll(worker, new Error('the worker thread ended')));
    return worker;
  }

  private settle(worker: Worker, reply: JobReply<Result>): void {
    const waiting = this.waiting.get(reply.id);
    this.waiting.delete(reply.id);
    if ('result' in reply) waiting?.resolve(reply.result);
    else waiting?.reject(new Error(reply.error));
    if (this.waiting.size > 0 || this.worker !== worker) return;
    // Idle: give its memory back.
    this.worker = undefined;
    void worker.terminate();
  }

  private failAll(worker: Worker, error: unknown): void {
    if (this.worker !== worker) return;
    this.worker = undefined;
    for (const { reject } of this.waiting.values())
      reject(new Error(`the worker thread failed: ${describeError(error)}`, { cause: error }));
    this.waiting.clear();
  }
}

/** The whole of a worker's entry point: jobs come in as messages, one reply goes out for each. */
export const serveJobs = <Job, Result>(run: JobRunner<Job, Result>): void => {
  const reply = (message: JobReply<Result>): void => parentPort?.postMessage(message);
  parentPort?.on('message', ({ id, job, cancelled }: JobRequest<Job>) => {
    const flag = new Int32Array(cancelled);
    run(job, () => Atomics.load(flag, 0) !== 0).then(
      (result) => reply({ id, result }),
      (error: unknown) =>
        reply({ id, error: error instanceof Error ? error.message : String(error) }),
    );
  });
};
