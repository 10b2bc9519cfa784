import { onAbort } from '../../lib/async/on-abort';
import { Channel } from '../../lib/async/channel';
import type { Clock } from '../../lib/clock';
import type { ExecProcess, ProcessOutput } from '../container-runtime';
import type { FakeProcessContext, FakeProgram } from './fake-program';

export interface FakeProcessOptions {
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly hasStdin: boolean;
  readonly clock: Clock;
  readonly program: FakeProgram;
  readonly onOutput: (stream: 'stdout' | 'stderr', data: Uint8Array) => void;
}

/** One running fake program with its streams. */
export class FakeProcess {
  readonly resizes: (readonly [columns: number, rows: number])[] = [];
  readonly exited: Promise<number>;
  private readonly controller = new AbortController();
  private readonly stdin = new Channel<Uint8Array>(MAX_QUEUED_PIECES);
  private killCode: number | undefined;

  constructor(options: FakeProcessOptions) {
    if (!options.hasStdin) this.stdin.end();
    // Later than the constructor, so that nothing is written before the caller holds the process.
    const ran = Promise.resolve<FakeProcessContext>({
      args: options.args,
      env: options.env,
      signal: this.controller.signal,
      clock: options.clock,
      write: (stream, text) => {
        if (!this.controller.signal.aborted) options.onOutput(stream, Buffer.from(text));
      },
      readStdin: async () => {
        const piece = await this.stdin.next();
        return piece.done === true ? undefined : piece.value;
      },
    }).then(options.program);
    const killed = new Promise<number>((resolve) => {
      onAbort(this.controller.signal, () => resolve(this.killCode ?? 137));
    });
    this.exited = Promise.race([ran, killed]).then((code) => this.killCode ?? code);
  }

  /** Ends the program at once with `exitCode`. */
  end(exitCode: number): void {
    this.killCode ??= exitCode;
    this.stdin.end();
    this.controller.abort();
  }

  writeStdin(data: Uint8Array): Promise<void> {
    this.stdin.push(data);
    return Promise.resolve();
  }

  closeStdin(): void {
    this.stdin.end();
  }

  resize(columns: number, rows: number): void {
    this.resizes.push([columns, rows]);
  }
}

/** A view of a fake process as the runtime's callers see it. */
export class FakeProcessView implements ExecProcess {
  readonly output = new Channel<ProcessOutput>(MAX_QUEUED_PIECES);

  constructor(
    private readonly process: FakeProcess,
    private readonly onDispose: () => void,
  ) {}

  writeStdin(data: Uint8Array): Promise<void> {
    return this.process.writeStdin(data);
  }

  closeStdin(): void {
    this.process.closeStdin();
  }

  resize(columns: number, rows: number): void {
    this.process.resize(columns, rows);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.onDispose();
    this.output.end();
    return Promise.resolve();
  }
}

const MAX_QUEUED_PIECES = 4096;
