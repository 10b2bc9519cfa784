import { JobThread } from '../../lib/async/job-thread';
import { LayerError } from './layer-tree';
import { unpackLayer, type UnpackJob, type UnpackResult } from './unpack-layer';

/** Unpacks layers in a worker thread; without a `workerPath` in this one. */
export class Unpacker implements AsyncDisposable {
  private readonly thread: JobThread<UnpackJob, UnpackResult>;

  constructor(workerPath: string | undefined) {
    this.thread = new JobThread({ path: workerPath, run: unpackLayer, heapMaxMb: HEAP_MAX_MB });
  }

  /** @throws LayerError; also when `signal` aborts, soon after. */
  async unpack(job: UnpackJob, signal?: AbortSignal): Promise<UnpackResult> {
    try {
      return await this.thread.run(job, signal);
    } catch (error) {
      if (error instanceof LayerError) throw error;
      const { message } = error as Error;
      throw new LayerError(message, { cause: error });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.thread[Symbol.asyncDispose]();
  }
}

const HEAP_MAX_MB = 1024;
