import { status, type ServerDuplexStream } from '@grpc/grpc-js';
import { randomUUID } from 'node:crypto';

import { ApiError } from '../../api/errors';
import type { Clock } from '../../lib/clock';
import type {
  AttachRequest,
  AttachResponse,
  OpenStream,
} from '../../proto/gen/dhow/agent/v1/agent';
import { firstWithin, messagesOf, type MessageSink } from '../../lib/async/message-stream';
import { grpcError } from './node-identity';
import { linkedController } from '../../lib/async/linked-controller';

export type AttachStream = ServerDuplexStream<AttachRequest, AttachResponse>;

/** The way to the agent. */
export interface AgentCall extends MessageSink<AttachResponse> {
  /** The agent went in the middle. */
  readonly cancelled: boolean;
  /** Nothing more goes there, nor is read from there. */
  end(): unknown;
}

/** The agent's half of one stream, with what it sends after naming the stream. */
export interface OpenedStream {
  readonly call: AgentCall;
  readonly messages: AsyncIterator<AttachRequest, undefined>;
  /** Ends it at once; who waits for `messages` is told by an error. */
  readonly cancel: () => void;
}

const OPEN_TIMEOUT_MS = 15_000;
const MAX_WAITING_STREAMS = 1024;

interface Waiting {
  readonly nodeName: string;
  readonly resolve: (stream: OpenedStream) => void;
}

/** Brings together a request for a stream and the Attach call with which the agent answers. */
export class StreamBroker {
  private readonly waiting = new Map<string, Waiting>();

  constructor(private readonly clock: Clock) {}

  /** Asks with `ask` and waits for the agent's call. @throws ApiError */
  async open(
    nodeName: string,
    kind: OpenStream['kind'],
    ask: (request: OpenStream) => Promise<void>,
    signal: AbortSignal,
  ): Promise<OpenedStream> {
    if (this.waiting.size >= MAX_WAITING_STREAMS)
      throw new ApiError('TooManyRequests', 'too many streams are being opened');
    const streamId = randomUUID();
    const stop = linkedController(signal);
    try {
      const answered = new Promise<OpenedStream>((resolve) =>
        this.waiting.set(streamId, { nodeName, resolve }),
      );
      await ask({ streamId, kind });
      const late = this.clock.sleep(OPEN_TIMEOUT_MS, stop.signal);
      const opened = await Promise.race([answered, late]);
      if (opened !== undefined) return opened;
      signal.throwIfAborted();
      throw new ApiError('Timeout', `node "${nodeName}" did not open the stream in time`);
    } finally {
      stop.abort();
      this.waiting.delete(streamId);
    }
  }

  /** Takes an Attach call of a node; resolves when the call is handed over. @throws NOT_FOUND */
  async accept(nodeName: string, call: AttachStream): Promise<void> {
    const messages = messagesOf<AttachRequest>(call);
    const message = (await firstWithin(messages, OPEN_TIMEOUT_MS, this.clock))?.message;
    const waiting = message?.$case === 'streamId' ? this.waiting.get(message.value) : undefined;
    if (waiting?.nodeName !== nodeName)
      throw grpcError(status.NOT_FOUND, 'nobody waits for this stream');
    const cancel = () => call.emit('error', grpcError(status.CANCELLED, 'no longer wanted'));
    waiting.resolve({ call, messages, cancel });
  }
}
