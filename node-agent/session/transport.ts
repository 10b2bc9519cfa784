import { Metadata } from '@grpc/grpc-js';

import { onAbort } from '../../lib/async/on-abort';
import { NodeServiceClient } from '../../proto/gen/dhow/agent/v1/agent';
import type {
  AttachRequest,
  AttachResponse,
  RenewResponse,
  SessionRequest,
  SessionResponse,
} from '../../proto/gen/dhow/agent/v1/agent';
import {
  MessageWriter,
  messagesOf,
  type MessageSink,
  type MessageSource,
} from '../../lib/async/message-stream';
import type { Clock } from '../../lib/clock';
import { hostPort } from '../../lib/net/ip';
import type { NodeIdentity } from '../identity/identity-store';
import { serverCredentials, SERVER_NAME_OPTIONS } from '../identity/join';
import type { ServerEndpoint, ServerList } from './server-list';

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
  /** Whom it reaches. Default: always the same. */
  readonly servers?: ServerList;
  openSession(signal: AbortSignal): MessageStream<SessionRequest, SessionResponse>;
  openAttach(signal: AbortSignal): MessageStream<AttachRequest, AttachResponse>;
  /** A new certificate for the key of a PKCS#10 request. @throws ServiceError */
  renew(certificateRequest: Buffer): Promise<RenewResponse>;
  close(): void;
}

/**
 * gRPC with the node's certificate. One connection carries the session and every stream. What begins
 * after `identity` returns another one, or another server is chosen, goes over a new connection; what is under way
 * ends on the old.
 */
export const createTransport = (
  servers: ServerList,
  identity: () => NodeIdentity,
  clock: Clock,
): Transport => {
  let used = { identity: identity(), server: servers.current, hasSeveral: servers.hasSeveral };
  let client = clientOf(used);
  const current = (): NodeServiceClient => {
    const wanted = {
      identity: identity(),
      server: servers.current,
      hasSeveral: servers.hasSeveral,
    };
    if (wanted.identity !== used.identity || wanted.server !== used.server) {
      client.close();
      used = wanted;
      client = clientOf(wanted);
    }
    return client;
  };
  return {
    servers,
    openSession: (signal) => streamOf(current().session(), clock, signal),
    openAttach: (signal) => streamOf(current().attach(), clock, signal),
    renew: (certificateRequest) => renew(current(), certificateRequest, clock),
    close: () => client.close(),
  };
};

const clientOf = ({
  identity,
  server,
  hasSeveral,
}: {
  readonly identity: NodeIdentity;
  readonly server: ServerEndpoint;
  readonly hasSeveral: boolean;
}): NodeServiceClient =>
  new NodeServiceClient(
    hostPort(server.host, server.port),
    serverCredentials(identity.caCertificate, identity),
    {
      ...SERVER_NAME_OPTIONS,
      'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
      'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
      'grpc-node.flow_control_window': WINDOW_BYTES,
      // There is no sense in leaving one early where there is no other.
      'grpc.keepalive_time_ms': hasSeveral ? 3_000 : 10_000,
      'grpc.keepalive_timeout_ms': hasSeveral ? 2_000 : 10_000,
      // The session has its own back-off; this one must not stretch it.
      'grpc.initial_reconnect_backoff_ms': 200,
      'grpc.min_reconnect_backoff_ms': 200,
      'grpc.max_reconnect_backoff_ms': 5_000,
    },
  );

const renew = (
  client: NodeServiceClient,
  certificateRequest: Buffer,
  clock: Clock,
): Promise<RenewResponse> =>
  new Promise((resolve, reject) => {
    const deadline = clock.now() + CALL_TIMEOUT_MS;
    client.renew({ certificateRequest }, new Metadata(), { deadline }, (error, response) =>
      error === null ? resolve(response) : reject(error),
    );
  });

const MAX_MESSAGE_BYTES = 32 * 1024 * 1024;
/**
 * How much the server may send ahead of what has been read: a part of the assignments. By default it is
 * 64 kB, so that one part takes sixteen ways there and back, each by a turn of two busy event loops.
 */
const WINDOW_BYTES = 1024 * 1024;
const CALL_TIMEOUT_MS = 15_000;

interface Call<Outgoing, Incoming> extends MessageSink<Outgoing>, MessageSource<Incoming> {
  end(): unknown;
  cancel(): void;
}

const streamOf = <Outgoing, Incoming>(
  call: Call<Outgoing, Incoming>,
  clock: Clock,
  signal: AbortSignal,
): MessageStream<Outgoing, Incoming> => {
  const cancel = () => call.cancel();
  if (signal.aborted) cancel();
  onAbort(signal, cancel);
  const writer = new MessageWriter<Outgoing>(call, clock, signal);
  const messages = messagesOf<Incoming>(call);
  return {
    messages,
    write: (message) => writer.write(message),
    end: () => {
      signal.removeEventListener('abort', cancel);
      call.end();
    },
    cancel,
  };
};
