import { onAbort } from '../../lib/async/on-abort';
import { ApiError } from '../../api/errors';
import type {
  ContainerTarget,
  ExecOutput,
  ExecRequest,
  ExecSession,
  LogsRequest,
  MetricsPath,
  NodeConnections,
  PodTarget,
  PortConnection,
  PortRequest,
  UsageReport,
} from '../../client/node-connections';
import type { Clock } from '../../lib/clock';
import { DeadlineExceededError, withDeadline } from '../../lib/async/deadline';
import type {
  AttachResponse,
  OpenStream,
  StreamError,
  UsageReading,
} from '../../proto/gen/dhow/agent/v1/agent';
import { MessageWriter } from '../../lib/async/message-stream';
import type { NodeStreams } from './node-streams';
import type { OpenedStream } from './stream-broker';
import { linkedController } from '../../lib/async/linked-controller';

/** Logs, exec, ports, usage and metrics over streams to the agents. */
export class AgentConnections implements NodeConnections {
  constructor(
    private readonly deps: {
      readonly streams: NodeStreams;
      readonly clock: Clock;
    },
  ) {}

  isConnected(nodeName: string): boolean {
    return this.deps.streams.has(nodeName);
  }

  async *logs(
    nodeName: string,
    request: LogsRequest,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array> {
    const kind: OpenStream['kind'] = { $case: 'logs', value: logsParams(request) };
    const opened = await this.open(nodeName, kind, signal);
    const stop = cancelOnAbort(opened, signal);
    try {
      for await (const message of iterate(opened)) {
        if (message?.$case === 'stdout') yield message.value;
        if (message?.$case === 'error') throw toApiError(message.value);
      }
    } catch (error) {
      if (!signal.aborted) throw asApiError(error);
    } finally {
      stop();
      opened.call.end();
    }
  }

  async exec(nodeName: string, request: ExecRequest, signal: AbortSignal): Promise<ExecSession> {
    const { stdin, stdout, stderr, tty, command = [] } = request;
    const value = { target: targetOf(request), command: [...command], stdin, stdout, stderr, tty };
    const opened = await this.open(nodeName, { $case: 'exec', value }, signal);
    return new AgentExecSession(opened, this.deps.clock, signal);
  }

  async connect(
    nodeName: string,
    request: PortRequest,
    signal: AbortSignal,
  ): Promise<PortConnection> {
    const value = { target: targetOf(request), port: request.port };
    const opened = await this.open(nodeName, { $case: 'port', value }, signal);
    const connection = new AgentPortConnection(opened, this.deps.clock, signal);
    try {
      await connection.established();
      return connection;
    } catch (error) {
      await connection[Symbol.asyncDispose]();
      throw asApiError(error);
    }
  }

  async usage(nodeName: string, signal: AbortSignal): Promise<UsageReport> {
    return this.report(nodeName, { $case: 'usage', value: {} }, readUsage, signal);
  }

  async metrics(nodeName: string, path: MetricsPath, signal: AbortSignal): Promise<Uint8Array> {
    return this.report(nodeName, { $case: 'metrics', value: { path } }, readMetrics, signal);
  }

  async isolation(nodeName: string, pod: PodTarget, signal: AbortSignal): Promise<Uint8Array> {
    const value = { target: targetOf(pod) };
    return this.report(nodeName, { $case: 'isolation', value }, readIsolation, signal);
  }

  /** What a node says of itself at once, read in time or not at all. */
  private async report<T>(
    nodeName: string,
    kind: NonNullable<OpenStream['kind']>,
    read: (opened: OpenedStream) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const what = `the ${kind.$case} of node "${nodeName}"`;
    const deadline = { what, limitMs: REPORT_MS, clock: this.deps.clock, signal };
    try {
      return await withDeadline(deadline, async (stop) => {
        const opened = await this.open(nodeName, kind, stop);
        const undo = cancelOnAbort(opened, stop);
        try {
          return await read(opened);
        } finally {
          undo();
          opened.call.end();
        }
      });
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof DeadlineExceededError)
        throw new ApiError('Timeout', error.message, { cause: error });
      throw asApiError(error);
    }
  }

  private open(
    nodeName: string,
    kind: OpenStream['kind'],
    signal: AbortSignal,
  ): Promise<OpenedStream> {
    return this.deps.streams.open(nodeName, kind, signal);
  }
}

/** @throws ApiError */
const readUsage = async (opened: OpenedStream): Promise<UsageReport> => {
  const { reading, data } = await readReport(opened, 'usage', USAGE_BYTES_MAX);
  if (reading === undefined) throw ofEarlierRelease('usage');
  return { ...reading, summary: data };
};

/** @throws ApiError */
const readMetrics = (opened: OpenedStream): Promise<Uint8Array> =>
  readText(opened, 'metrics', METRICS_BYTES_MAX);

/** @throws ApiError */
const readIsolation = (opened: OpenedStream): Promise<Uint8Array> =>
  readText(opened, 'isolation', ISOLATION_BYTES_MAX);

const readText = async (
  opened: OpenedStream,
  what: string,
  bytesMax: number,
): Promise<Uint8Array> => {
  const { data } = await readReport(opened, what, bytesMax);
  if (data.length === 0) throw ofEarlierRelease(what);
  return data;
};

const readReport = async (opened: OpenedStream, what: string, bytesMax: number) => {
  let reading: UsageReading | undefined;
  const pieces: Uint8Array[] = [];
  let byteCount = 0;
  for await (const message of iterate(opened)) {
    if (message?.$case === 'error') throw toApiError(message.value);
    if (message?.$case === 'usage') reading = message.value;
    if (message?.$case !== 'stdout') continue;
    byteCount += message.value.length;
    if (byteCount > bytesMax)
      throw new ApiError('InternalError', `the node reports more ${what} than can be taken`);
    pieces.push(message.value);
  }
  return { reading, data: Buffer.concat(pieces) };
};

/** It has ended what it does not know. */
const ofEarlierRelease = (what: string): ApiError =>
  new ApiError('ServiceUnavailable', `the node reports no ${what}: it is of an earlier release`);

const REPORT_MS = 5000;
/** Of ten thousand containers. */
const USAGE_BYTES_MAX = 4 * 1024 * 1024;
/** Of some thousand containers: each has a line in a dozen metrics. */
const METRICS_BYTES_MAX = 8 * 1024 * 1024;
/** Of some dozen containers with a thousand mounts each. */
const ISOLATION_BYTES_MAX = 4 * 1024 * 1024;

/** The way to the agent of a stream that goes both ways. */
class StreamInput {
  private readonly writer: MessageWriter<AttachResponse>;
  private readonly closed: AbortController;
  private readonly stop: () => void;

  constructor(
    private readonly opened: OpenedStream,
    clock: Clock,
    signal: AbortSignal,
  ) {
    this.stop = cancelOnAbort(opened, signal);
    this.closed = linkedController(signal);
    this.writer = new MessageWriter(opened.call, clock, this.closed.signal);
  }

  write(data: Uint8Array): Promise<void> {
    return this.writer.write({ message: { $case: 'stdin', value: Buffer.from(data) } });
  }

  /** A broken stream shows at the reading side. */
  post(message: AttachResponse): void {
    this.writer.write(message).catch(() => undefined);
  }

  end(): void {
    if (this.closed.signal.aborted) return;
    this.closed.abort();
    this.stop();
    this.opened.call.end();
  }
}

class AgentExecSession implements ExecSession {
  private readonly input: StreamInput;
  readonly output: AsyncIterable<ExecOutput>;

  constructor(
    private readonly opened: OpenedStream,
    clock: Clock,
    signal: AbortSignal,
  ) {
    this.input = new StreamInput(opened, clock, signal);
    this.output = this.read();
  }

  writeStdin(data: Uint8Array): Promise<void> {
    return this.input.write(data);
  }

  closeStdin(): void {
    this.input.post({ message: { $case: 'stdinEnd', value: {} } });
  }

  resize(columns: number, rows: number): void {
    this.input.post({ message: { $case: 'resize', value: { columns, rows } } });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.input.end();
    return Promise.resolve();
  }

  private async *read(): AsyncIterable<ExecOutput> {
    try {
      for await (const message of iterate(this.opened)) {
        switch (message?.$case) {
          case 'stdout':
          case 'stderr':
            yield { stream: message.$case, data: message.value };
            break;
          case 'exitCode':
            yield { stream: 'exit', exitCode: message.value };
            return;
          case 'error':
            yield errorOutput(toApiError(message.value));
            return;
          case 'streamId':
          case 'connected':
          case 'usage':
          case undefined:
        }
      }
      yield errorOutput(
        new ApiError('InternalError', 'the node ended the stream before the command did'),
      );
    } catch (error) {
      yield errorOutput(asApiError(error));
    }
  }
}

class AgentPortConnection implements PortConnection {
  private readonly input: StreamInput;
  private readonly messages: ReturnType<typeof iterate>;
  readonly output: AsyncIterable<Uint8Array>;

  constructor(
    private readonly opened: OpenedStream,
    clock: Clock,
    signal: AbortSignal,
  ) {
    this.input = new StreamInput(opened, clock, signal);
    this.messages = iterate(opened);
    this.output = this.read();
  }

  /** @throws ApiError */
  async established(): Promise<void> {
    const { value: message } = await this.messages.next();
    if (message?.$case === 'connected') return;
    if (message?.$case === 'error') throw toApiError(message.value);
    // It has ended what it does not know.
    throw new ApiError(
      'ServiceUnavailable',
      'the node does not forward ports: it is of an earlier release',
    );
  }

  write(data: Uint8Array): Promise<void> {
    return this.input.write(data);
  }

  end(): void {
    this.input.post({ message: { $case: 'stdinEnd', value: {} } });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.input.end();
    return Promise.resolve();
  }

  private async *read(): AsyncIterable<Uint8Array> {
    try {
      for await (const message of this.messages) {
        if (message?.$case === 'stdout') yield message.value;
        if (message?.$case === 'error') throw toApiError(message.value);
      }
    } catch (error) {
      throw asApiError(error);
    }
  }
}

/** @throws ApiError when the agent went in the middle: to a reader that must not look like the end. */
async function* iterate({ call, messages }: OpenedStream) {
  for (;;) {
    const next = await messages.next();
    if (next.done === true) break;
    yield next.value.message;
  }
  if (call.cancelled) throw new ApiError('ServiceUnavailable', 'the connection to the node broke');
}

/** Ends the call when `signal` aborts, so that a waiting reader wakes; returns the undo. */
const cancelOnAbort = ({ cancel }: OpenedStream, signal: AbortSignal): (() => void) => {
  if (signal.aborted) cancel();
  onAbort(signal, cancel);
  return () => signal.removeEventListener('abort', cancel);
};

const targetOf = ({
  namespace,
  podName,
  podUid,
  container = '',
}: PodTarget & Partial<ContainerTarget>) => ({
  namespace,
  podName,
  podUid,
  container,
});

const logsParams = (request: LogsRequest) => {
  const { follow, previous, timestamps, tailLines, sinceSeconds, sinceTime, limitBytes } = request;
  const int64 = (value: number | undefined) =>
    value === undefined ? undefined : BigInt(Math.trunc(value));
  return {
    target: targetOf(request),
    follow,
    previous,
    timestamps,
    tailLines: int64(tailLines),
    sinceSeconds: int64(sinceSeconds),
    sinceTime,
    limitBytes: int64(limitBytes),
  };
};

const toApiError = ({ reason, message }: StreamError): ApiError =>
  ApiError.fromStatus({ reason: reason, message });

const errorOutput = ({ reason, message }: ApiError): ExecOutput => ({
  stream: 'error',
  reason,
  message,
});

const asApiError = (error: unknown): ApiError =>
  error instanceof ApiError
    ? error
    : new ApiError('ServiceUnavailable', 'the connection to the node broke', { cause: error });
