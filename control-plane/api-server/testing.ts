import { ApiError } from '../../api/errors';
import type { ClusterNetwork } from '../../api/cluster-network';
import { linkedController } from '../../lib/async/linked-controller';
import { parseJson, stringifyJson } from '../../lib/json';
import { ManualClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { seededRandom } from '../../lib/random';
import type { Tracing } from '../../lib/tracing/tracing';
import type { NodeConnections } from '../../client/node-connections';
import type { Placements } from '../../client/placements';
import type { VirtualResource } from '../../client/virtual-resource';
import { MemoryStore } from '../store/memory-store';
import { createWatchCaches } from '../store/watch-caches';
import type { AdmissionPlugin } from './admission/admission-plugin';
import type { Auditor } from './audit/auditor';
import type { WebhookCalls } from './admission/webhooks';
import { createApiServer, type ApiServer } from './api-server';
import { AUTHENTICATED, MASTERS, type User } from './auth/user';
import { ensureSystemObjects } from './system-objects';

/** A server without sockets over a memory store, and a way to ask it. */
export interface TestServer extends AsyncDisposable {
  readonly api: ApiServer;
  readonly clock: ManualClock;
  readonly store: MemoryStore;
  /** One request; `body` is JSON unless it is text or bytes. */
  request(method: string, path: string, body?: unknown, options?: RequestOptions): Promise<Answer>;
  /** The events of a watch until `count` have come. */
  watch(path: string, count: number): Promise<readonly WatchLine[]>;
}

export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly user?: User;
  readonly signal?: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly text: string;
  // The tests know what they asked for.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly json: any;
}

export interface WatchLine {
  readonly type: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly object: any;
}

export const ADMIN: User = { name: 'kubernetes-admin', groups: [MASTERS, AUTHENTICATED] };

export interface TestServerOptions {
  readonly nodes?: Partial<NodeConnections>;
  readonly virtual?: readonly VirtualResource[];
  readonly placements?: Placements;
  readonly store?: MemoryStore;
  readonly admissionPlugins?: readonly AdmissionPlugin[];
  readonly anonymousAuth?: boolean;
  readonly auditor?: Auditor;
  readonly webhookCalls?: WebhookCalls;
  readonly network?: ClusterNetwork;
  readonly tracing?: Tracing;
  readonly serverId?: string;
}

export const startTestServer = async ({
  nodes = {},
  virtual = [],
  placements,
  store = new MemoryStore(),
  admissionPlugins = [],
  anonymousAuth = false,
  auditor,
  webhookCalls,
  network,
  tracing,
  serverId,
}: TestServerOptions = {}): Promise<TestServer> => {
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  const caches = createWatchCaches({ store, clock, log: silentLog });
  const api = createApiServer({
    store,
    caches,
    tls: { caCertificate: '', server: { certificate: '', key: '' } },
    nodeConnections: { ...NO_NODES, ...nodes },
    virtualResources: virtual,
    admissionPlugins,
    takesAnonymous: () => anonymousAuth,
    ...(auditor === undefined ? {} : { auditor }),
    ...(placements === undefined ? {} : { placements }),
    ...(network === undefined ? {} : { network }),
    ...(tracing === undefined ? {} : { tracing }),
    ...(serverId === undefined ? {} : { serverId }),
    ...(webhookCalls === undefined ? {} : { webhookCalls }),
    clock,
    random: seededRandom(1),
    log: silentLog,
    version: '0.0.0',
  });
  await ensureSystemObjects(api.client);
  const ask = asker(api);
  return {
    api,
    clock,
    store,
    request: requestTo(api),
    watch: async (path, count) => {
      const stop = new AbortController();
      const { body } = await ask('GET', path, undefined, { signal: stop.signal });
      const lines = await take(body as AsyncIterable<Uint8Array>, count);
      stop.abort();
      return lines;
    },
    [Symbol.asyncDispose]: async () => {
      await api[Symbol.asyncDispose]();
      await caches[Symbol.asyncDispose]();
    },
  };
};

/** One request at a time to a server without sockets. */
export const requestTo = (api: ApiServer): TestServer['request'] => {
  const ask = asker(api);
  return async (method, url, body, options = {}) => {
    const given = options.signal === undefined ? [] : [options.signal];
    using ended = linkedController(...given);
    try {
      return await answerOf(await ask(method, url, body, { ...options, signal: ended.signal }));
    } finally {
      // As over HTTPS: what a request holds until its answer is sent is given back.
      ended.abort();
    }
  };
};

const asker =
  (api: ApiServer) =>
  (method: string, url: string, body?: unknown, options: RequestOptions = {}) => {
    const { pathname, searchParams } = new URL(url, 'https://test');
    const isGiven = typeof body === 'string' || body instanceof Uint8Array;
    const content = isGiven ? body : body === undefined ? '' : stringifyJson(body);
    return api.handle({
      method,
      path: pathname,
      query: searchParams,
      headers: { accept: 'application/json', ...options.headers },
      user: options.user ?? ADMIN,
      body: async () => Buffer.from(content),
      signal: options.signal ?? new AbortController().signal,
    });
  };

const answerOf = async ({
  status,
  headers = {},
  body = '',
}: Awaited<ReturnType<ApiServer['handle']>>): Promise<Answer> => {
  const chunks: Uint8Array[] = [];
  if (typeof body === 'string' || body instanceof Uint8Array) chunks.push(Buffer.from(body));
  else for await (const chunk of body) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  const isJson = text !== '' && String(headers['content-type']).startsWith('application/json');
  return { status, headers, text, json: isJson ? parseJson(text) : undefined };
};

const take = async (
  body: AsyncIterable<Uint8Array>,
  count: number,
): Promise<readonly WatchLine[]> => {
  const lines: WatchLine[] = [];
  for await (const chunk of body) {
    const whole = Buffer.from(chunk).toString().trimEnd().split('\n');
    lines.push(...whole.map((line) => parseJson(line) as WatchLine));
    if (lines.length >= count) break;
  }
  return lines.slice(0, count);
};

/** As of nodes that have never called. */
export const NO_NODES: NodeConnections = {
  isConnected: () => false,
  logs: (nodeName) => {
    throw notConnected(nodeName);
  },
  exec: (nodeName) => Promise.reject(notConnected(nodeName)),
  connect: (nodeName) => Promise.reject(notConnected(nodeName)),
  usage: (nodeName) => Promise.reject(notConnected(nodeName)),
  metrics: (nodeName) => Promise.reject(notConnected(nodeName)),
  isolation: (nodeName) => Promise.reject(notConnected(nodeName)),
};

const notConnected = (nodeName: string) =>
  new ApiError('ServiceUnavailable', `node "${nodeName}" is not connected`);
