import {
  credentials as grpcCredentials,
  type ChannelCredentials,
  type ClientDuplexStream,
} from '@grpc/grpc-js';
import { ApiError, hasReason } from '../../../api/errors';
import { backoffMs } from '../../../lib/async/backoff';
import { systemClock } from '../../../lib/clock';
import { systemRandom } from '../../../lib/random';
import type {
  KVClient,
  RangeResponse,
  ResponseHeader,
  WatchRequest,
  WatchResponse,
} from '../../../proto/gen/etcd/rpc';
import { describeEtcdError, isUnreachable } from './errors';
import { EtcdLink, type LinkClients, type UnaryCall } from './link';
import { rangeOp, rangeRequest, type RangeFields } from './operations';

export interface EtcdConnectionOptions {
  /** `host:port`, or `unix:/path`. Calls go to one at a time, and to the next when it fails. */
  readonly endpoints: readonly string[];
  /** Plaintext by default: the supervised etcd listens on a socket only we can open. */
  readonly credentials?: ChannelCredentials;
  readonly callTimeoutMs?: number;
}

export interface RangesAnswer {
  /** Etcd's, at which all were read. */
  readonly revision: number;
  readonly ranges: readonly (RangeResponse | undefined)[];
}

/** One etcd cluster: deadlines on every call, dead links found and left, errors as `ApiError`. */
export class EtcdConnection implements Disposable {
  private readonly links: (EtcdLink | undefined)[] = [];
  private active = 0;
  private isClosed = false;
  private isChecking = false;
  private clusterId: bigint | undefined;
  private revisionFloor = 0;
  private readonly replacing = new AbortController();

  constructor(private readonly options: EtcdConnectionOptions) {
    if (options.endpoints.length === 0) throw new Error('no etcd endpoint given');
  }

  /**
   * Aborts when etcd turns out to hold another history than before: it was restored or replaced, or
   * one of the endpoints is of another cluster. From then on every call fails with its reason, so
   * that nobody takes what is missing there for deleted.
   */
  get replaced(): AbortSignal {
    return this.replacing.signal;
  }

  /** For messages: `etcd at HOST:PORT`. */
  get name(): string {
    return `etcd at ${this.options.endpoints.join(', ')}`;
  }

  /** The newest revision heard of: etcd has reached it for certain. */
  get knownRevision(): number {
    return this.revisionFloor;
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

  /** For what comes by itself. @throws ApiError when it comes from another cluster */
  checkCluster(header: ResponseHeader | undefined): void {
    this.replacing.signal.throwIfAborted();
    if (header === undefined || header.clusterId === 0n) throw this.noEtcdError();
    if (header.clusterId !== (this.clusterId ??= header.clusterId))
      this.refuse(`it is of cluster ${hexOf(header.clusterId)}, not ${hexOf(this.clusterId)}`);
  }

  /**
   * A read, linearizable unless asked otherwise, repeated while etcd is away for a moment.
   * @param fields May ask for less with each retry.
   */
  async range(
    fields: RangeFields | ((retryCount: number) => RangeFields),
    signal?: AbortSignal,
  ): Promise<RangeResponse> {
    return this.repeated((retryCount) => {
      const request = rangeRequest(typeof fields === 'function' ? fields(retryCount) : fields);
      return this.callKv((kv) => kv.range.bind(kv), request, signal);
    }, signal);
  }

  /** Some reads of one revision, as `range` does them. Their answers are in order. */
  async ranges(all: readonly RangeFields[]): Promise<RangesAnswer> {
    const [only] = all;
    if (only !== undefined && all.length === 1) {
      const range = await this.range(only);
      return { revision: range.header?.revision ?? 0, ranges: [range] };
    }
    const request = { compare: [], success: all.map(rangeOp), failure: [] };
    const { header, responses } = await this.repeated(() =>
      this.callKv((kv) => kv.txn.bind(kv), request),
    );
    const ranges = responses.map(({ response }) =>
      response?.$case === 'responseRange' ? response.value : undefined,
    );
    return { revision: header?.revision ?? 0, ranges };
  }

  private async repeated<T>(
    read: (retryCount: number) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const startMs = systemClock.monotonicMs();
    for (let retryCount = 0; ; retryCount++) {
      try {
        return await read(retryCount);
      } catch (error) {
        const isLate = systemClock.monotonicMs() - startMs > READ_RETRY_FOR_MS;
        const isOver = isLate || this.isClosed || this.replaced.aborted;
        if (isOver || !hasReason(error, 'ServiceUnavailable')) throw error;
        await systemClock.sleep(backoffMs(retryCount, READ_RETRY, systemRandom), signal);
      }
    }
  }

  /** @throws ApiError; `ServiceUnavailable` when no answer came in time: the outcome is unknown. */
  async call<Request, Response>(
    pick: (clients: LinkClients) => UnaryCall<Request, Response>,
    request: Request,
    signal?: AbortSignal,
    timeoutMs = this.options.callTimeoutMs ?? CALL_TIMEOUT_MS,
  ): Promise<Response> {
    return this.through((link) => link.unary(pick, request, timeoutMs, signal), signal);
  }

  /** Renews a lease: how many seconds it has from now on, 0 when it is over. @throws ApiError */
  keepAlive(lease: bigint): Promise<number> {
    const timeoutMs = this.options.callTimeoutMs ?? CALL_TIMEOUT_MS;
    return this.through((link) => link.keepAlive(lease, timeoutMs));
  }

  /** A watch stream on the endpoint in use; report its failure with `noteFailure`. */
  openWatch(): {
    stream: ClientDuplexStream<WatchRequest, WatchResponse>;
    noteFailure: () => void;
  } {
    const link = this.link();
    return { stream: link.openWatch(), noteFailure: () => this.leave(link) };
  }

  [Symbol.dispose](): void {
    this.isClosed = true;
    for (const link of this.links) link?.end();
    this.links.length = 0;
  }

  private async through<T>(ask: (link: EtcdLink) => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    this.replacing.signal.throwIfAborted();
    const link = this.link();
    try {
      return await ask(link);
    } catch (error) {
      signal?.throwIfAborted();
      if (isUnreachable(error)) this.leave(link);
      throw describeEtcdError(error);
    }
  }

  private link(): EtcdLink {
    if (this.isClosed) throw new Error('the connection to etcd is closed');
    return (this.links[this.active] ??= this.open(this.active));
  }

  private open(endpoint: number): EtcdLink {
    return new EtcdLink({
      endpoint: this.options.endpoints[endpoint] as string,
      credentials: this.options.credentials ?? grpcCredentials.createInsecure(),
      onLate: (link) => void this.checkLink(link),
    });
  }

  private leave(link: EtcdLink): void {
    if (this.links[this.active] === link) this.active = this.nextEndpoint;
  }

  private get nextEndpoint(): number {
    return (this.active + 1) % this.options.endpoints.length;
  }

  /**
   * A call is late. Is it etcd, or the link? One that swallows what is sent looks alive to TCP for
   * minutes. A fresh link that answers while this one stays silent takes its place; the calls and
   * watches that it held fail, and those who made them try again.
   */
  private async checkLink(link: EtcdLink): Promise<void> {
    if (this.isChecking || this.links[this.active] !== link) return;
    this.isChecking = true;
    const endpoint = this.nextEndpoint;
    const fresh = this.open(endpoint);
    try {
      const answer = link.ping().then(
        () => true,
        () => false,
      );
      await fresh.ping();
      const isAlive = await Promise.race([answer, systemClock.sleep(GRACE_MS)]);
      if (isAlive !== true && !this.isClosed) this.replace(link, fresh, endpoint);
    } catch {
      // The fresh link fares no better: it is etcd.
    } finally {
      this.isChecking = false;
      if (!this.links.includes(fresh)) fresh.end();
    }
  }

  private replace(link: EtcdLink, fresh: EtcdLink, endpoint: number): void {
    const place = this.links.indexOf(link);
    if (place >= 0) this.links[place] = undefined;
    const before = this.links[endpoint];
    this.links[endpoint] = fresh;
    this.active = endpoint;
    for (const ended of [link, before]) ended?.end();
  }

  /** None may be older than one seen before it was asked. */
  private checkHistory(header: ResponseHeader | undefined, floor: number): void {
    this.checkCluster(header);
    const revision = header?.revision ?? 0;
    if (revision < floor) this.refuse(`it is at revision ${revision}, and was at ${floor} before`);
    this.revisionFloor = Math.max(this.revisionFloor, revision);
  }

  private refuse(why: string): never {
    const message = `${this.name} holds another history than before: ${why}`;
    this.replacing.abort(new ApiError('ServiceUnavailable', message));
    throw this.replacing.signal.reason;
  }

  private noEtcdError(): ApiError {
    return new ApiError('ServiceUnavailable', `${this.name} does not answer as etcd does`);
  }
}

const hexOf = (clusterId: bigint): string => clusterId.toString(16);

const CALL_TIMEOUT_MS = 5_000;
const READ_RETRY_FOR_MS = 5_000;
const READ_RETRY = { initialMs: 20, maxMs: 500 };
/** How much later than a fresh link's answer the late link's may come. */
const GRACE_MS = 500;
