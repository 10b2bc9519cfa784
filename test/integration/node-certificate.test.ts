import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { NODES, PODS } from '../../api/resources';
import { ManualClock, systemClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { seededRandom } from '../../lib/random';
import { CertificateRenewer } from '../../node-agent/identity/certificate-renewer';
import { IdentityStore, type NodeIdentity } from '../../node-agent/identity/identity-store';
import { ensureIdentity } from '../../node-agent/identity/join';
import { createTransport } from '../../node-agent/session/transport';
import {
  eventually,
  onlyServer,
  podDraft,
  startAgent,
  startPlane,
  type Plane,
} from './support/agent-plane';

const DAY_MS = 86_400_000;

let directory: string;
let plane: Plane;
let store: IdentityStore;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-certificate-'));
  plane = await startPlane(directory);
  store = new IdentityStore(join(directory, 'state'));
});
afterEach(async () => {
  await plane[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const joining = (token: string | undefined, nowMs = Date.now()) => ({
  host: '127.0.0.1',
  token,
  agentsPort: plane.port,
  nodeName: 'n1',
  clock: new ManualClock(nowMs),
});

const renewerOf = (identity: NodeIdentity, renew?: (request: Buffer) => Promise<string>) => {
  const clock = new ManualClock(Date.now());
  const asked: number[] = [];
  const ask = (request: Buffer) => {
    asked.push(clock.now());
    return (renew ?? transport.renew)(request);
  };
  const deps = { store, renew: ask, clock, random: seededRandom(1), log: silentLog };
  const renewer = new CertificateRenewer(deps, identity);
  const transport = createTransport(
    onlyServer(renewer.current),
    () => renewer.current,
    systemClock,
  );
  const stop = new AbortController();
  const running = renewer.run(stop.signal);
  const end = async () => {
    stop.abort();
    await running;
    transport.close();
  };
  return { clock, asked, transport, renewer, end };
};

it('renews a certificate well before its end, and goes on as the same node', async () => {
  await using agent = await startAgent(plane, directory);
  await eventually(async () => plane.nodes.connections.isConnected('n1'));
  const before = store.load()!;
  const { clock, asked, transport, renewer, end } = renewerOf(before);
  await clock.advance(240 * DAY_MS);
  expect(asked).toEqual([]);
  await clock.advance(60 * DAY_MS);
  await eventually(async () => renewer.current !== before);
  expect(asked).toHaveLength(1);
  const after = store.load()!;
  expect(after).toEqual(renewer.current);
  expect(after.key).not.toBe(before.key);
  const [old, next] = [before, after].map(({ certificate }) => new X509Certificate(certificate));
  expect(next!.subject).toBe(old!.subject);
  expect(next!.serialNumber).not.toBe(old!.serialNumber);

  // The new one is taken by the server; what the old one began goes on.
  agent.adopt(after);
  await plane.client.create(PODS, podDraft('web'));
  const pod = await eventually(async () => {
    const found = await plane.client.get(PODS, { namespace: 'default', name: 'web' });
    return found.status.phase === 'Running' ? found : undefined;
  });
  const target = {
    namespace: 'default',
    podName: 'web',
    podUid: pod.metadata.uid!,
    container: 'web',
  };
  const { signal } = new AbortController();
  const options = { follow: false, previous: false, timestamps: false };
  const text = await eventually(async () => {
    let log = '';
    for await (const chunk of plane.nodes.connections.logs('n1', { ...target, ...options }, signal))
      log += Buffer.from(chunk).toString();
    return log;
  });
  expect(text).toBe('hello\n');
  expect(plane.nodes.connections.isConnected('n1')).toBe(true);
  await expect(transport.renew(Buffer.from('no request'))).rejects.toThrow('INVALID_ARGUMENT');
  await end();
});

it('keeps the certificate that works when the server sends a useless one, and asks again', async () => {
  const identity = await ensureIdentity(store, joining(plane.token));
  const foreign = (await plane.pki.issueClient('system:node:other', 'system:nodes')).certificate;
  const { clock, asked, renewer, end } = renewerOf(identity, () => Promise.resolve(foreign));
  await clock.advance(300 * DAY_MS);
  await eventually(async () => {
    await clock.advance(3_600_000);
    return asked.length > 2;
  });
  expect(renewer.current).toBe(identity);
  expect(store.load()).toEqual(identity);
  await end();
});

it('renews nothing for a node that is not in the cluster', async () => {
  const identity = await ensureIdentity(store, joining(plane.token));
  const transport = createTransport(onlyServer(identity), () => identity, systemClock);
  await plane.client.delete(NODES, { namespace: '', name: 'n1' });
  await expect(transport.renew(Buffer.alloc(0))).rejects.toThrow('node "n1" is not in the cluster');
  transport.close();
});

it('joins anew once its certificate has run out, given a token', async () => {
  const first = await ensureIdentity(store, joining(plane.token));
  const later = Date.now() + 500 * DAY_MS;
  await expect(ensureIdentity(store, joining(undefined, later))).rejects.toThrow(
    'the certificate of node "n1" has expired: a new join token is required',
  );
  const second = await ensureIdentity(store, joining(plane.token, later));
  expect(second.certificate).not.toBe(first.certificate);
  expect(store.load()?.certificate).toBe(second.certificate);
  expect(await ensureIdentity(store, joining(undefined))).toEqual(second);
});
