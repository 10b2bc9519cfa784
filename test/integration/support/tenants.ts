import { Agent, request } from 'node:https';
import { Worker } from 'node:worker_threads';
import { parseJson, stringifyJson } from '../../../lib/json';
import type { Probe } from './livez-probe';
import type { OwnServer, Reply } from './own-server';

/** Somebody who may do everything in one namespace, and what roles say elsewhere. */
export interface Tenant extends Disposable {
  readonly name: string;
  readonly token: string;
  readonly namespace: string;
  ask(method: string, path: string, body?: object, type?: string): Promise<Reply>;
  /** Opens a request whose answer is left unread; returns its status. */
  open(path: string): Promise<number>;
}

/** A namespace with a service account that may do everything in it, and what `rules` say in all. */
export const makeTenant = async (
  server: OwnServer,
  namespace: string,
  rules: readonly object[] = [],
): Promise<Tenant> => {
  const rbac = 'rbac.authorization.k8s.io';
  const subjects = [{ kind: 'ServiceAccount', name: 'tenant', namespace }];
  const roleRef = { apiGroup: rbac, kind: 'ClusterRole' };
  const post = async (path: string, body: object): Promise<Reply> => {
    const reply = await server.ask('POST', path, stringifyJson(body));
    if (reply.status !== 201) throw new Error(`${path}: ${reply.text}`);
    return reply;
  };
  const within = `/api/v1/namespaces/${namespace}`;
  const everything = [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }];
  await post('/api/v1/namespaces', { metadata: { name: namespace } });
  await post(`${within}/serviceaccounts`, { metadata: { name: 'tenant' } });
  for (const [name, own] of [
    [`${namespace}-in`, everything],
    [`${namespace}-all`, rules],
  ] as const)
    await post(`/apis/${rbac}/v1/clusterroles`, { metadata: { name }, rules: own });
  await post(`/apis/${rbac}/v1/namespaces/${namespace}/rolebindings`, {
    ...{ metadata: { name: 'tenant' }, subjects },
    roleRef: { ...roleRef, name: `${namespace}-in` },
  });
  await post(`/apis/${rbac}/v1/clusterrolebindings`, {
    ...{ metadata: { name: namespace }, subjects },
    roleRef: { ...roleRef, name: `${namespace}-all` },
  });
  const issued = await post(`${within}/serviceaccounts/tenant/token`, {});
  const { status } = parseJson(issued.text) as { status: { token: string } };
  return asking(server.url, namespace, status.token);
};

const asking = (url: string, namespace: string, token: string): Tenant => {
  const agent = new Agent({ rejectUnauthorized: false, keepAlive: true, maxSockets: 64 });
  const loose = new Agent({ rejectUnauthorized: false, maxSockets: Infinity });
  const authorization = `Bearer ${token}`;
  return {
    ...{ name: namespace, namespace, token },
    ask: (method, path, body, type = 'application/json') =>
      new Promise((resolve, reject) => {
        const text = body === undefined ? '' : stringifyJson(body);
        const startMs = performance.now();
        const headers = {
          ...{ authorization, 'content-length': String(Buffer.byteLength(text)) },
          ...(body === undefined ? {} : { 'content-type': type }),
        };
        const sent = request(new URL(path, url), { agent, method, headers }, (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const tookMs = performance.now() - startMs;
            const status = response.statusCode ?? 0;
            resolve({ status, text: Buffer.concat(chunks).toString(), tookMs });
          });
        });
        sent.on('error', reject);
        sent.end(text);
      }),
    open: (path) =>
      new Promise((resolve) => {
        const sent = request(
          new URL(path, url),
          { agent: loose, headers: { authorization } },
          (response) => {
            response.on('error', () => undefined);
            response.pause();
            resolve(response.statusCode ?? 0);
          },
        );
        sent.on('error', () => resolve(0));
        sent.end();
      }),
    [Symbol.dispose]: () => {
      agent.destroy();
      loose.destroy();
    },
  };
};

/** What others feel meanwhile: /livez, and a `get` by somebody else. */
export interface Felt {
  readonly livez: readonly Probe[];
  readonly get: readonly Probe[];
}

/** Asked again and again until `work` is done, from a thread of its own: this one is busy. */
export const feltDuring = async (
  server: OwnServer,
  { token, path }: { readonly token: string; readonly path: string },
  work: () => Promise<unknown>,
): Promise<Felt> => {
  const workerData = { url: server.url, token, path };
  const prober = new Worker(PROBER, { eval: true, workerData });
  const felt = { livez: [] as Probe[], get: [] as Probe[] };
  const failed = new Promise<never>((_resolve, reject) => prober.once('error', reject));
  const first = new Promise((resolve) => prober.once('message', resolve));
  prober.on('message', ([what, probe]: ['livez' | 'get', Probe]) => felt[what].push(probe));
  try {
    await Promise.race([first, failed]);
    await Promise.race([work(), failed]);
    // At least one of each that began in the meantime.
    await new Promise((resolve) => prober.once('message', resolve));
    return felt;
  } finally {
    await prober.terminate();
  }
};

/** `p99` and the longest, in milliseconds. */
export const figuresOf = (
  probes: readonly Probe[],
): { readonly p99: number; readonly max: number } => {
  const tookMs = probes.map((probe) => probe.tookMs).sort((a, b) => a - b);
  const at = Math.min(tookMs.length - 1, Math.floor(tookMs.length * 0.99));
  return { p99: Math.round(tookMs[at] ?? 0), max: Math.round(tookMs.at(-1) ?? 0) };
};

const PROBER = `
const { get, Agent } = require('node:https');
const { parentPort, workerData: { url, token, path } } = require('node:worker_threads');
const agent = new Agent({ keepAlive: true, rejectUnauthorized: false });
const probe = (what, target, headers) => {
  const startMs = performance.now();
  const sent = get(url + target, { agent, headers }, (response) => {
    response.resume();
    response.on('end', () => {
      const tookMs = performance.now() - startMs;
      parentPort.postMessage([what, { status: response.statusCode, tookMs }]);
      setTimeout(probe, 10, what, target, headers);
    });
  });
  sent.on('error', () => setTimeout(probe, 10, what, target, headers));
};
probe('livez', '/livez', {});
probe('get', path, { authorization: 'Bearer ' + token });
`;
