import { credentials, type ClientDuplexStream } from '@grpc/grpc-js';
import type { PeerCertificate } from 'node:tls';
import { ApiError } from '../../api/errors';
import { firstWithin, messagesOf } from '../../lib/async/message-stream';
import { onAbort } from '../../lib/async/on-abort';
import type { Clock } from '../../lib/clock';
import { describeError } from '../../lib/log';
import { hostPort } from '../../lib/net/ip';
import type {
  AttachRequest,
  AttachResponse,
  OpenStream,
} from '../../proto/gen/dhow/agent/v1/agent';
import {
  PeerServiceClient,
  type RelayRequest,
  type RelayResponse,
} from '../../proto/gen/dhow/peer/v1/peer';
import type { Pki } from '../pki/pki';
import type { KnownServer, KnownServers } from './deps';
import { askServer } from './leaders-questions';
import type { NodeStreams } from './node-streams';
import { isServersCertificate } from './server-caller';
import type { AgentCall, OpenedStream } from './stream-broker';

export interface RelayedStreamsDeps {
  readonly servers: KnownServers;
  readonly pki: Pick<Pki, 'caCertificate' | 'server'>;
  readonly clock: Clock;
}

interface Link {
  readonly address: string;
  readonly certificate: string;
  readonly client: PeerServiceClient;
}

/** Streams to the agents of other servers, by way of these. */
export class RelayedStreams implements NodeStreams, Disposable {
  /** By the identity of the server. */
  private readonly links = new Map<string, Link>();
  private readonly ignore: () => void;

  constructor(private readonly deps: RelayedStreamsDeps) {
    this.ignore = deps.servers.onChange(() => this.leaveGone());
  }

  has(nodeName: string): boolean {
    return this.holderOf(nodeName) !== undefined;
  }

  async open(
    nodeName: string,
    kind: OpenStream['kind'],
    signal: AbortSignal,
  ): Promise<OpenedStream> {
    const server = this.holderOf(nodeName);
    if (server === undefined)
      throw new ApiError('ServiceUnavailable', `node "${nodeName}" is not connected`);
    const call = this.clientOf(server).relay();
    const messages = messagesOf<RelayResponse>(call);
    const undo = onAbort(signal, () => call.cancel());
    try {
      call.write({
        message: { $case: 'open', value: { nodeName, stream: { streamId: '', kind } } },
      });
      const first = await firstWithin(messages, OPEN_TIMEOUT_MS, this.deps.clock);
      signal.throwIfAborted();
      const message = first?.message;
      if (message?.$case === 'refused') throw ApiError.fromStatus({ ...message.value });
      if (message?.$case !== 'opened')
        throw new ApiError(
          'Timeout',
          `the server of node "${nodeName}" did not open the stream in time`,
        );
      return new RelayedStream(call, messages);
    } catch (error) {
      call.cancel();
      signal.throwIfAborted();
      if (error instanceof ApiError) throw error;
      const why = `the server of node "${nodeName}" (${server.agents.host}) cannot be asked: ${describeError(error)}`;
      throw new ApiError('ServiceUnavailable', why, { cause: error });
    } finally {
      undo();
    }
  }

  /** Asks one server, by its identity. @throws ApiError */
  async ask(id: string, question: string, argument: object, signal: AbortSignal): Promise<unknown> {
    const server = this.deps.servers.live().find((each) => each.id === id);
    if (server === undefined)
      throw new ApiError('ServiceUnavailable', 'the server that leads is not known yet');
    return askServer(this.clientOf(server), question, argument, signal);
  }

  [Symbol.dispose](): void {
    this.ignore();
    for (const { client } of this.links.values()) client.close();
    this.links.clear();
  }

  private holderOf(nodeName: string): KnownServer | undefined {
    const { servers } = this.deps;
    const holder = servers.holderOf(nodeName);
    return holder?.id === servers.id ? undefined : holder;
  }

  /** What begins after this server has got another certificate goes over a new connection. */
  private clientOf({ id, agents }: KnownServer): PeerServiceClient {
    const { server, caCertificate } = this.deps.pki;
    const address = hostPort(agents.host, agents.port);
    const known = this.links.get(id);
    if (known?.address === address && known.certificate === server.certificate) return known.client;
    known?.client.close();
    const tls = credentials.createSsl(
      Buffer.from(caCertificate),
      Buffer.from(server.key),
      Buffer.from(server.certificate),
      { checkServerIdentity },
    );
    const client = new PeerServiceClient(address, tls, OPTIONS);
    this.links.set(id, { address, certificate: server.certificate, client });
    return client;
  }

  private leaveGone(): void {
    const live = new Set(this.deps.servers.live().map(({ id }) => id));
    for (const [id, { client }] of this.links)
      if (!live.has(id)) {
        client.close();
        this.links.delete(id);
      }
  }
}

class RelayedStream implements OpenedStream {
  readonly call: AgentCall;
  readonly messages: AsyncIterator<AttachRequest, undefined>;

  constructor(
    private readonly relay: ClientDuplexStream<RelayRequest, RelayResponse>,
    messages: AsyncIterator<RelayResponse, undefined>,
  ) {
    this.call = new InputOf(relay);
    this.messages = outputIn(messages);
  }

  readonly cancel = (): void => this.relay.cancel();
}

/** The way to the agent. That it is broken is said by what comes from there. */
class InputOf implements AgentCall {
  readonly cancelled = false;

  constructor(private readonly relay: ClientDuplexStream<RelayRequest, RelayResponse>) {}

  get destroyed(): boolean {
    return this.relay.destroyed;
  }

  write(value: AttachResponse): boolean {
    return this.relay.write({ message: { $case: 'input', value } });
  }

  once(event: 'drain' | 'close', listener: () => void): void {
    this.relay.once(event, listener);
  }

  removeListener(event: 'drain' | 'close', listener: () => void): void {
    this.relay.removeListener(event, listener);
  }

  /** Nobody reads what may still come, so that waiting for its end would take for ever. */
  end(): void {
    this.relay.cancel();
  }
}

const outputIn = (
  messages: AsyncIterator<RelayResponse, undefined>,
): AsyncIterator<AttachRequest, undefined> => ({
  next: async () => {
    for (;;) {
      const next = await messages.next();
      if (next.done === true) return next;
      const { message } = next.value;
      if (message?.$case === 'output') return { done: false, value: message.value };
    }
  },
});

/** Any server of the cluster will do, wherever it is reached. */
const checkServerIdentity = (_host: string, certificate: PeerCertificate): Error | undefined =>
  isServersCertificate(certificate)
    ? undefined
    : new Error(`the certificate is not a server's: it names ${String(certificate.subject.CN)}`);

/** The agent has 15 seconds, of which the other server says that they are over. */
const OPEN_TIMEOUT_MS = 20_000;
const OPTIONS = {
  // TLS has no way to name an address as the server's name: one that all bear goes.
  'grpc.ssl_target_name_override': 'kubernetes',
  'grpc.max_receive_message_length': 16 * 1024 * 1024,
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.min_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 2_000,
};
