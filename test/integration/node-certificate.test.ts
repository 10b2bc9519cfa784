import { status } from '@grpc/grpc-js';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { NODES, PODS } from '../../api/resources';
import { existingAuthorities, prolongAuthority } from '../../control-plane/pki/authorities';
import { openPki } from '../../control-plane/pki/pki';
import { ManualClock, systemClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { seededRandom } from '../../lib/random';
import { CertificateRenewer } from '../../node-agent/identity/certificate-renewer';
import { IdentityStore, type NodeIdentity } from '../../node-agent/identity/identity-store';
import { ensureIdentity, joinAgain, rejoinByKey } from '../../node-agent/identity/join';
import { createKey } from '../../node-agent/identity/key';
import type { IssuedCertificate } from '../../node-agent/identity/next-identity';
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
let pkiClock: ManualClock;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-certificate-'));
  pkiClock = new ManualClock(Date.now());
  plane = await startPlane(directory, { pkiClock });
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

const renewerOf = (
  identity: NodeIdentity,
  renew?: (request: Buffer) => Promise<IssuedCertificate>,
) => {
  const clock = new ManualClock(Date.now());
  const asked: number[] = [];
  const ask = (request: Buffer) => {
    asked.push(clock.now());
    return (renew ?? transport.renew)(request);
  };
  const rejoin = (known: NodeIdentity) => rejoinByKey(known, '127.0.0.1', clock);
  const deps = { store, renew: ask, rejoin, clock, random: seededRandom(1), log: silentLog };
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
  const useless = { certificate: foreign, caCertificate: '' };
  const { clock, asked, renewer, end } = renewerOf(identity, () => Promise.resolve(useless));
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

/** Of a node that was off for longer than its certificate lasts. */
const expiredIdentity = async (): Promise<NodeIdentity> => {
  pkiClock.setBy(-400 * DAY_MS);
  const identity = await ensureIdentity(store, joining(plane.token, pkiClock.now()));
  pkiClock.setBy(400 * DAY_MS);
  return identity;
};

it('gets the next certificate by its key once its own has run out, and by no other key', async () => {
  const expired = await expiredIdentity();
  const transport = createTransport(onlyServer(expired), () => expired, systemClock);
  await expect(transport.renew(Buffer.alloc(0))).rejects.toMatchObject({
    code: status.UNAUTHENTICATED,
  });
  transport.close();
  const another = (await createKey()).key;
  await expect(rejoinByKey({ ...expired, key: another }, '127.0.0.1', systemClock)).rejects.toThrow(
    'a node certificate of this cluster is required',
  );
  const next = await ensureIdentity(store, joining(undefined));
  expect(next.key).not.toBe(expired.key);
  expect(new X509Certificate(next.certificate).subject).toBe('O=system:nodes\nCN=system:node:n1');
  expect(store.load()).toEqual(next);
  // While it runs as well: its session is refused.
  store.save(expired);
  expect((await joinAgain(store, joining(undefined))).key).not.toBe(expired.key);
  await using _agent = await startAgent({ port: plane.port }, directory);
  await eventually(async () => plane.nodes.connections.isConnected('n1'));
});

it('gets none by a key that the node has no more, nor for a node that was taken out', async () => {
  const expired = await expiredIdentity();
  for (let round = 0; round < 3; round++) {
    store.save(expired);
    await ensureIdentity(store, joining(undefined));
  }
  await expect(rejoinByKey(expired, '127.0.0.1', systemClock)).rejects.toThrow('earlier node "n1"');
  const latest = store.load()!;
  await plane.client.delete(NODES, { namespace: '', name: 'n1' });
  await expect(rejoinByKey(latest, '127.0.0.1', systemClock)).rejects.toThrow(
    'node "n1" is not in the cluster',
  );
});

it('gets none by a certificate of another authority', async () => {
  const identity = await ensureIdentity(store, joining(plane.token));
  const other = await openPki({
    ...{ directory: join(directory, 'other'), serverNames: [], clock: systemClock },
  });
  const forged = await other.issueClient('system:node:n1', 'system:nodes');
  await expect(rejoinByKey({ ...identity, ...forged }, '127.0.0.1', systemClock)).rejects.toThrow(
    'a node certificate of this cluster is required',
  );
});

it('knows an authority by its key once that was made good for longer', async () => {
  const identity = await ensureIdentity(store, joining(plane.token));
  const folder = join(directory, 'pki');
  await prolongAuthority(folder, await existingAuthorities(folder), systemClock);
  await plane.pki.renewDue(0);
  expect(plane.pki.caCertificate).not.toBe(identity.caCertificate);
  const asleep = new ManualClock(Date.now() + 11 * 365 * DAY_MS);
  await plane.pki.renewDue(1);
  plane.nodes.showNewCertificate();
  const next = await rejoinByKey(identity, '127.0.0.1', asleep);
  expect(next.caCertificate).toBe(plane.pki.caCertificate);
  expect(next.caHash).toBe(identity.caHash);
});

it('waits for a server that does not answer, and joins by a token what the server refuses', async () => {
  const expired = await expiredIdentity();
  expect(await ensureIdentity(store, { ...joining(undefined), agentsPort: 1 })).toMatchObject({
    certificate: expired.certificate,
  });
  await plane.client.delete(NODES, { namespace: '', name: 'n1' });
  await expect(ensureIdentity(store, joining(undefined))).rejects.toThrow(
    'the certificate of node "n1" has expired: a new join token is required, since',
  );
  const second = await ensureIdentity(store, joining(plane.token));
  expect(second.certificate).not.toBe(expired.certificate);
  expect(await ensureIdentity(store, joining(undefined))).toEqual(second);
});
