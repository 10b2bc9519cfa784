import { credentials, type ChannelCredentials, type ServiceError } from '@grpc/grpc-js';
import type { CallOptions, ClientDuplexStream, ClientUnaryCall, Metadata } from '@grpc/grpc-js';
import { Metadata as GrpcMetadata } from '@grpc/grpc-js';
import {
  KVClient,
  MaintenanceClient,
  WatchClient,
  type ResponseHeader,
  type WatchRequest,
  type WatchResponse,
} from '../../../proto/gen/etcd/rpc';
import { hasReason } from '../../../api/errors';
import { backoffMs } from '../../../lib/async/backoff';
import { systemClock } from '../../../lib/clock';
import { systemRandom } from '../../../lib/random';
import { describeEtcdError, isUnreachable } from './errors';

export interface EtcdConnectionOptions {
  /** `host:port`, or `unix:/path`. Calls go to one at a time, and to the next when it fails. */
  readonly endpoints: readonly string[];
  /** Plaintext by default: the supervised etcd listens on a socket only we can open. */
  readonly credentials?: ChannelCredentials;
  readonly callTimeoutMs?: number;
}

/** The unary calls of a generated client, in their four-argument form. */
type UnaryCall<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, response: Response) => void,
) => ClientUnaryCall;

interface Clients {
  readonly kv: KVClient;
  readonly watch: WatchClient;
  readonly maintenance: MaintenanceClient;
}

/** One etcd cluster: deadlines on every call, keepalive on every link, errors as `ApiError`. */
export class EtcdConnection implements Disposable {
  private readonly clients: (Clients | undefined)[] = [];
  private active = 0;
  private isClosed = false;
  private clusterId: bigint | undefined;
  private revisionFloor = 0;
  private epochController = new AbortController();

  constructor(private readonly options: EtcdConnectionOptions) {
    if (options.endpoints.length === 0) throw new Error('no etcd endpoint given');
  }

  /** Aborts when etcd turns out to hold another history: it was restored or replaced. */
  get epoch(): AbortSignal {
    return this.epochController.signal;
  }

  /** A call whose answer is linearizable: it also tells whether etcd still holds our history. */
  async callKv<Request, Response extends { header?: ResponseHeader | undefined }>(
    pick: (kv: KVClient) => UnaryCall<Request, Response>,
    request: Request,
    signal?: AbortSignal,
    timeoutMs?: number,
  ): Promise<Response> {
    const floor = this.revisionFloor;
    const response = await this.call((clients) => pick(clients.kv), request, signal, timeoutMs);
    this.checkHistory(response.header, floor);
    return response;
  }

  /** A read: repeated while etcd is away for a moment. */
  async readKv<Request, Response extends { header?: ResponseHeader | undefined }>(
    pick: (kv: KVClient) => UnaryCall<Request, Response>,
    request: Request,
    signal?: AbortSignal,
  ): Promise<Response> {
    const startMs = performance.now();
    for (let retryCount = 0; ; retryCount++) {
      try {
        return await this.callKv(pick, request, signal);
      } catch (error) {
        const isOver = performance.now() - startMs > READ_RETRY_FOR_MS || this.isClosed;
        if (isOver || !hasReason(error, 'ServiceUnavailable')) throw error;
        await systemClock.sleep(backoffMs(retryCount, READ_RETRY, systemRandom), signal);
      }
    }
  }

  /** @throws ApiError; `ServiceUnavailable` when no answer came in time: the outcome is unknown. */
  async call<Request, Response>(
    pick: (clients: Clients) => UnaryCall<Request, Response>,
    request: Request,
    signal?: AbortSignal,
    timeoutMs = this.options.callTimeoutMs ?? CALL_TIMEOUT_MS,
  ): Promise<Response> {
    signal?.throwIfAborted();
    const endpoint = this.active;
    try {
      return await unary(pick(this.at(endpoint)), request, timeoutMs, signal);
    } catch (error) {
      signal?.throwIfAborted();
      if (isUnreachable(error)) this.leave(endpoint);
      throw describeEtcdError(error);
    }
  }

  /** A watch stream on the endpoint in use; report its failure with `noteFailure`. */
  openWatch(): {
    stream: ClientDuplexStream<WatchRequest, WatchResponse>;
    noteFailure: () => void;
  } {
    const endpoint = this.active;
    return { stream: this.at(endpoint).watch.watch(), noteFailure: () => this.leave(endpoint) };
  }

  [Symbol.dispose](): void {
    this.isClosed = true;
    for (const clients of this.clients) {
      clients?.kv.close();
      clients?.watch.close();
      clients?.maintenance.close();
    }
    this.clients.length = 0;
  }

  private at(endpoint: number): Clients {
    if (this.isClosed) throw new Error('the connection to etcd is closed');
    return (this.clients[endpoint] ??= connect(
      this.options.endpoints[endpoint] as string,
      this.options.credentials ?? credentials.createInsecure(),
    ));
  }

  private leave(endpoint: number): void {
    if (this.active === endpoint) this.active = (endpoint + 1) % this.options.endpoints.length;
  }

  /** None may be older than one seen before it was asked. */
  private checkHistory(header: ResponseHeader | undefined, floor: number): void {
    if (header === undefined || header.revision === 0) return;
    this.clusterId ??= header.clusterId;
    if (header.clusterId === this.clusterId && header.revision >= floor) {
      this.revisionFloor = Math.max(this.revisionFloor, header.revision);
      return;
    }
    this.clusterId = header.clusterId;
    this.revisionFloor = header.revision;
    this.epochController.abort();
    this.epochController = new AbortController();
  }
}

const CALL_TIMEOUT_MS = 5_000;
const READ_RETRY_FOR_MS = 5_000;
const READ_RETRY = { initialMs: 20, maxMs: 500 };

// Dead links are found within 15 s. etcd closes a connection that pings more often than every 5 s.
const CHANNEL_OPTIONS = {
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2_000,
  // The default shares links by address between connections, and one would close another's.
  'grpc.use_local_subchannel_pool': 1,
};

const connect = (endpoint: string, channelCredentials: ChannelCredentials): Clients => {
  const kv = new KVClient(endpoint, channelCredentials, CHANNEL_OPTIONS);
  const shared = { ...CHANNEL_OPTIONS, channelOverride: kv.getChannel() };
  return {
    kv,
    watch: new WatchClient(endpoint, channelCredentials, shared),
    maintenance: new MaintenanceClient(endpoint, channelCredentials, shared),
  };
};

const unary = <Request, Response>(
  call: UnaryCall<Request, Response>,
  request: Request,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<Response> =>
  new Promise((resolve, reject) => {
    const options = { deadline: Date.now() + timeoutMs };
    const pending = call(request, new GrpcMetadata(), options, (error, response) => {
      signal?.removeEventListener('abort', cancel);
      if (error === null) resolve(response);
      else reject(error);
    });
    const cancel = () => pending.cancel();
    signal?.addEventListener('abort', cancel, { once: true });
  });
