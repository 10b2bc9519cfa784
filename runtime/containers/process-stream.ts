import { Condition, DeadlineExceededError, type Deadline } from '../../lib/async/deadline';
import { RuntimeError, type ExecProcess, type ProcessOutput } from '../container-runtime';
import { FrameConnection } from './connection';
import {
  decodeError,
  decodeExit,
  encodeFrame,
  encodeNumbers,
  FrameType,
  type Frame,
} from './frames';

/** How long a process may take to run, and, if it is limited, to end. */
export interface ProcessDeadlines {
  readonly start: Deadline;
  readonly end?: Omit<Deadline, 'signal'>;
}

/** A process's streams over one connection to its monitor. Reading slowly holds the process back. */
export class MonitoredProcess implements ExecProcess {
  readonly output: AsyncIterable<ProcessOutput>;
  private readonly queue: ProcessOutput[] = [];
  private queuedBytes = 0;
  private isPaused = false;
  private hasStarted = false;
  private hasEnded = false;
  private callOffEnd: () => void = () => undefined;
  private failure: Error | undefined;
  private wake: (() => void) | undefined;
  private connection: FrameConnection | undefined;
  private readonly changed = new Condition();

  private constructor() {
    this.output = { [Symbol.asyncIterator]: () => this.iterate() };
  }

  /**
   * Connects, sends `request`, and waits until the process runs.
   * @throws RuntimeError when it cannot run, DeadlineExceededError, or the reason of its signal.
   */
  static async open(
    socketPath: string,
    request: Uint8Array,
    deadlines: ProcessDeadlines,
  ): Promise<MonitoredProcess> {
    const process = new MonitoredProcess();
    try {
      process.connection = await FrameConnection.open(socketPath, {
        onFrame: (frame) => process.receive(frame),
        onClose: () => process.end(new RuntimeError('exec', 'the connection to it was lost')),
      });
    } catch (cause) {
      const isCrowded = (cause as NodeJS.ErrnoException).code === 'EAGAIN';
      const why = isCrowded
        ? 'too many come to the container at once'
        : 'the container is not running';
      throw new RuntimeError('exec', why, { cause });
    }
    try {
      void process.connection.send(request);
      const isDecided = () => process.hasStarted || process.hasEnded;
      await process.changed.until(isDecided, deadlines.start);
      if (process.failure !== undefined && !process.hasStarted) throw process.failure;
    } catch (error) {
      process.connection.close();
      throw error;
    }
    if (deadlines.end !== undefined) process.endBy(deadlines.end);
    return process;
  }

  async writeStdin(data: Uint8Array): Promise<void> {
    for (let start = 0; start < data.length; start += STDIN_PIECE_BYTES) {
      const piece = data.subarray(start, start + STDIN_PIECE_BYTES);
      await this.connection?.send(encodeFrame(FrameType.stdin, piece));
    }
  }

  closeStdin(): void {
    this.connection?.sendType(FrameType.closeStdin);
  }

  resize(columns: number, rows: number): void {
    void this.connection?.send(encodeNumbers(FrameType.resize, columns, rows));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.connection?.close();
    return Promise.resolve();
  }

  private receive(frame: Frame): void {
    switch (frame.type) {
      case FrameType.state:
        this.hasStarted = true;
        this.changed.notify();
        break;
      case FrameType.stdout:
        this.push({ stream: 'stdout', data: Uint8Array.from(frame.payload) });
        break;
      case FrameType.stderr:
        this.push({ stream: 'stderr', data: Uint8Array.from(frame.payload) });
        break;
      case FrameType.error: {
        const { step, message } = decodeError(frame.payload);
        this.end(new RuntimeError(step, message));
        break;
      }
      case FrameType.exit: {
        const { exitCode, timedOut } = decodeExit(frame.payload);
        this.hasStarted = true;
        this.push({ stream: 'exit', exitCode, timedOut });
        this.end();
      }
    }
  }

  private push(piece: ProcessOutput): void {
    this.queue.push(piece);
    this.queuedBytes += sizeOf(piece);
    if (this.queuedBytes > MAX_QUEUED_BYTES && !this.isPaused) {
      this.isPaused = true;
      this.connection?.pause();
    }
    this.wake?.();
  }

  private end(error?: Error): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.failure = error;
    this.callOffEnd();
    this.changed.notify();
    this.wake?.();
    this.connection?.close();
  }

  /** Its monitor ends it in time; should that be stuck, this does. */
  private endBy({ what, limitMs, clock }: Omit<Deadline, 'signal'>): void {
    if (this.hasEnded) return;
    this.callOffEnd = clock.after(limitMs, () =>
      this.end(new DeadlineExceededError(what, limitMs)),
    );
  }

  private async *iterate(): AsyncGenerator<ProcessOutput, void> {
    for (;;) {
      const piece = this.queue.shift();
      if (piece !== undefined) {
        this.taken(piece);
        yield piece;
      } else if (this.hasEnded) {
        if (this.failure !== undefined) throw this.failure;
        return;
      } else {
        // eslint-disable-next-line no-restricted-syntax -- `end` wakes it
        await new Promise<void>((resolve) => (this.wake = resolve));
      }
    }
  }

  private taken(piece: ProcessOutput): void {
    this.queuedBytes -= sizeOf(piece);
    if (!this.isPaused || this.queuedBytes > MAX_QUEUED_BYTES / 2) return;
    this.isPaused = false;
    this.connection?.resume();
  }
}

/** A process that writes byte by byte makes a piece of each. */
const sizeOf = (piece: ProcessOutput): number =>
  PIECE_BYTES + (piece.stream === 'exit' ? 0 : piece.data.length);

/** What a piece takes in memory beside its bytes. */
const PIECE_BYTES = 256;
const STDIN_PIECE_BYTES = 32 << 10;
const MAX_QUEUED_BYTES = 1 << 20;
