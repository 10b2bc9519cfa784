import { NodeServiceClient } from '../../proto/gen/dhow/agent/v1/agent';
import type {
  AttachRequest,
  AttachResponse,
  SessionRequest,
  SessionResponse,
} from '../../proto/gen/dhow/agent/v1/agent';
import { MessageWriter, messagesOf } from '../../lib/async/message-stream';
import type { Clock } from '../../lib/clock';
import type { NodeIdentity } from '../identity/identity-store';
import { bracketed, serverCredentials, SERVER_NAME_OPTIONS } from '../identity/join';

/** One two-way stream to the server. */
export interface MessageStream<Outgoing, Incoming> {
  /** Ends when the server ends the stream; throws when it breaks or is refused. */
  readonly messages: AsyncIterator<Incoming, undefined>;
  /** Resolves when there is room for more. */
  write(message: Outgoing): Promise<void>;
  /** Nothing more comes from here. */
  end(): void;
  /** Drops the stream at once. */
  cancel(): void;
}

/** How the agent reaches the server. */
export interface Transport {
  openSession(signal: AbortSignal): MessageStream<SessionRequest, SessionResponse>;
  openAttach(signal: AbortSignal): MessageStream<AttachRequest, AttachResponse>;
  close(): void;
}

const MAX_MESSAGE_BYTES = 32 * 1024 * 1024;

/** gRPC with the node's certificate. One connection carries the session and every stream. */
export const createTransport = (host: string, identity: NodeIdentity, clock: Clock): Transport => {
  const address = `${bracketed(host)}:${identity.agentsPort}`;
  const client = new NodeServiceClient(
    address,
    serverCredentials(identity.caCertificate, identity),
    {
      ...SERVER_NAME_OPTIONS,
      'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
      'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
      'grpc.keepalive_time_ms': 10_000,
      'grpc.keepalive_timeout_ms': 10_000,
      // The session has its own back-off; this one must not stretch it.
      'grpc.initial_reconnect_backoff_ms': 200,
      'grpc.min_reconnect_backoff_ms': 200,
      'grpc.max_reconnect_backoff_ms': 5_000,
    },
  );
  return {
    openSession: (signal) => streamOf(client.session(), clock, signal),
    openAttach: (signal) => streamOf(client.attach(), clock, signal),
    close: () => client.close(),
  };
};

interface Call<Outgoing, Incoming> {
  write(message: Outgoing): boolean;
  end(): unknown;
  cancel(): void;
  on(event: 'error', listener: (error: Error) => void): unknown;
  once(event: 'drain', listener: () => void): unknown;
  removeListener(event: 'drain', listener: () => void): unknown;
  iterator(options: { destroyOnReturn: boolean }): AsyncIterableIterator<Incoming>;
}

const streamOf = <Outgoing, Incoming>(
  call: Call<Outgoing, Incoming>,
  clock: Clock,
  signal: AbortSignal,
): MessageStream<Outgoing, Incoming> => {
  // The reader of `messages` sees it; without a listener it would end the process.
  call.on('error', () => undefined);
  const cancel = () => call.cancel();
  if (signal.aborted) cancel();
  signal.addEventListener('abort', cancel, { once: true });
  const writer = new MessageWriter<Outgoing>(call, clock, signal);
  return {
    messages: messagesOf<Incoming>(call),
    write: (message) => writer.write(message),
    end: () => {
      signal.removeEventListener('abort', cancel);
      call.end();
    },
    cancel,
  };
};
