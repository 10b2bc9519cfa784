import {
  Metadata,
  status,
  type CallOptions,
  type ChannelCredentials,
  type ClientDuplexStream,
  type ClientUnaryCall,
  type ServiceError,
} from '@grpc/grpc-js';
import { onAbort } from '../../../lib/async/on-abort';
import { timedController, type TimedController } from '../../../lib/async/timed-controller';
import { systemClock } from '../../../lib/clock';
import {
  KVClient,
  LeaseClient,
  MaintenanceClient,
  WatchClient,
  type LeaseKeepAliveResponse,
  type WatchRequest,
  type WatchResponse,
} from '../../../proto/gen/etcd/rpc';
import { LEADER_KEY } from './keys';
import { rangeRequest } from './operations';

/** The unary calls of a generated client, in their four-argument form. */
export type UnaryCall<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, response: Response) => void,
) => ClientUnaryCall;

export interface LinkClients {
  readonly kv: KVClient;
  readonly lease: LeaseClient;
  readonly maintenance: MaintenanceClient;
}

export interface LinkOptions {
  readonly endpoint: string;
  readonly credentials: ChannelCredentials;
  /** Called when a call waits unusually long: etcd is slow, or the link swallows what is sent. */
  readonly onLate: (link: EtcdLink) => void;
}

/** One channel to one endpoint. Ending it fails all that is under way on it, at once. */
export class EtcdLink {
  private readonly clients: LinkClients & { readonly watch: WatchClient };
  private readonly streams = new Set<{ cancel(): void }>();
  /** Calls that wait, the oldest first, with the time they began. */
  private readonly calls = new Map<Pick<ClientUnaryCall, 'cancel'>, number>();
  private lateTimer: TimedController | undefined;
  private heartbeat: TimedController | undefined;
  private answeredCount = 0;

  constructor(private readonly options: LinkOptions) {
    const { endpoint, credentials } = options;
    const kv = new KVClient(endpoint, credentials, CHANNEL_OPTIONS);
    const shared = { ...CHANNEL_OPTIONS, channelOverride: kv.getChannel() };
    this.clients = {
      kv,
      lease: new LeaseClient(endpoint, credentials, shared),
      watch: new WatchClient(endpoint, credentials, shared),
      maintenance: new MaintenanceClient(endpoint, credentials, shared),
    };
  }

  /** @throws ServiceError */
  unary<Request, Response>(
    pick: (clients: LinkClients) => UnaryCall<Request, Response>,
    request: Request,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      let isLate = false;
      // gRPC's own deadlines are on the wall clock, which may be set while the call waits.
      const callOff = systemClock.after(timeoutMs, () => {
        isLate = true;
        call.cancel();
      });
      const call = pick(this.clients)(request, new Metadata(), {}, (error, response) => {
        forget();
        callOff();
        this.calls.delete(call);
        this.answeredCount++;
        if (error === null) resolve(response);
        else reject(isLate ? deadlineExceeded(timeoutMs, error) : error);
      });
      const forget = onAbort(signal, () => call.cancel());
      this.begin(call);
    });
  }

  /**
   * Renews a lease: how many seconds it has from now on, 0 when it is over. etcd offers it as a stream only.
   * @throws ServiceError
   */
  keepAlive(ID: bigint, timeoutMs: number): Promise<number> {
    return new Promise((resolve, reject) => {
      let isLate = false;
      const stream = this.clients.lease.leaseKeepAlive();
      const callOff = systemClock.after(timeoutMs, () => {
        isLate = true;
        stream.cancel();
      });
      const settle = () => {
        callOff();
        this.calls.delete(stream);
      };
      stream.on('data', ({ TTL }: LeaseKeepAliveResponse) => {
        settle();
        this.answeredCount++;
        resolve(TTL);
        stream.cancel();
      });
      // Cancelling fails it once more, when its answer has come.
      stream.on('error', (error: ServiceError) => {
        settle();
        reject(isLate ? deadlineExceeded(timeoutMs, error) : error);
      });
      this.begin(stream);
      stream.write({ ID });
    });
  }

  openWatch(): ClientDuplexStream<WatchRequest, WatchResponse> {
    const stream = this.clients.watch.watch();
    this.streams.add(stream);
    stream.once('close', () => this.streams.delete(stream));
    this.beat();
    return stream;
  }

  /** Resolves when etcd answers anything at all: it asks no other member, and waits for no disk. */
  async ping(timeoutMs = PING_TIMEOUT_MS): Promise<void> {
    const request = rangeRequest({ key: LEADER_KEY, serializable: true, keysOnly: true });
    await this.unary(({ kv }) => kv.range.bind(kv), request, timeoutMs);
  }

  end(): void {
    for (const timer of [this.lateTimer, this.heartbeat]) timer?.[Symbol.dispose]();
    for (const pending of [...this.calls.keys(), ...this.streams]) pending.cancel();
    this.clients.kv.close();
  }

  private begin(call: Pick<ClientUnaryCall, 'cancel'>): void {
    this.calls.set(call, systemClock.monotonicMs());
    this.lateTimer ??= later(LATE_MS, () => this.findLate());
  }

  /** A watch may be silent for hours: while there are some, a call now and then proves the link. */
  private beat(): void {
    if (this.heartbeat !== undefined || this.streams.size === 0) return;
    const { answeredCount } = this;
    this.heartbeat = later(HEARTBEAT_MS, () => {
      this.heartbeat = undefined;
      // A failure shows on the streams, too.
      if (answeredCount === this.answeredCount) this.ping().catch(() => undefined);
      this.beat();
    });
  }

  private findLate(): void {
    this.lateTimer = undefined;
    const [startMs] = this.calls.values();
    if (startMs === undefined) return;
    const waitedMs = systemClock.monotonicMs() - startMs;
    this.lateTimer = later(Math.max(LATE_POLL_MS, LATE_MS - waitedMs), () => this.findLate());
    if (waitedMs >= LATE_MS) this.options.onLate(this);
  }
}

/** Runs once the time is up, unless it is disposed of before. */
const later = (ms: number, run: () => void): TimedController => {
  const timer = timedController(systemClock, ms);
  onAbort(timer.signal, run);
  return timer;
};

/** As gRPC itself would say it. */
const deadlineExceeded = (timeoutMs: number, cause: ServiceError): ServiceError =>
  Object.assign(new Error(cause.message, { cause }), {
    code: status.DEADLINE_EXCEEDED,
    details: `Deadline exceeded after ${timeoutMs / 1000}s`,
    metadata: cause.metadata,
  });

/** A local etcd answers in a millisecond, one with a slow disk in some hundreds. */
const LATE_MS = 1_000;
const LATE_POLL_MS = 250;
const HEARTBEAT_MS = 3_000;
const PING_TIMEOUT_MS = 3_000;

/** Twice the largest answer that there may be, a page of fifty objects. */
export const MESSAGE_BYTES_MAX = 128 * 1024 * 1024;

/**
 * How much etcd may send ahead of what has been read. By default it is 64 kB, for all watches of a link
 * together, and it is renewed once a turn of the event loop: while writes keep that busy, watches fall
 * seconds behind.
 */
const WINDOW_BYTES = 1024 * 1024;

// etcd closes a connection that pings more often than every 5 s.
const CHANNEL_OPTIONS = {
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
  'grpc.max_send_message_length': -1,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2_000,
  // The default shares links by address between connections, and one would close another's.
  'grpc.use_local_subchannel_pool': 1,
  'grpc-node.flow_control_window': WINDOW_BYTES,
};
