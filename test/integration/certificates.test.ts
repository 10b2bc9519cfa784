import { build } from 'esbuild';
import { spawn } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';

import { CONFIG_MAPS, NODES, PODS } from '../../api/resources';
import { readKubeconfig, type ClientConfig } from '../../client/kubeconfig';
import { RestClient } from '../../client/rest-client';
import { authorityUseOf } from '../../cli/commands/authority-use';
import {
  beginAuthorityRotation,
  finishAuthorityRotation,
} from '../../control-plane/pki/authorities';
import { openPki } from '../../control-plane/pki/pki';
import type { ServerStarted } from '../../control-plane/server';
import { keyHashesIn } from '../../lib/certificate-bundle';
import { systemClock } from '../../lib/clock';
import { parseJoinToken } from '../../lib/join-token';
import { silentLog } from '../../lib/log';
import { systemRandom } from '../../lib/random';
import { IdentityStore } from '../../node-agent/identity/identity-store';
import { createTransport } from '../../node-agent/session/transport';
import { FakeContainerRuntime } from '../../runtime/containers';
import { eventually, onlyServer, podDraft, startAgent } from './support/agent-plane';
import { startServer } from './support/running-server';

jest.setTimeout(180_000);

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-certificates-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const start = (more: object = {}) => startServer(directory, more);

/** The certificate that a port shows to whoever comes now. */
const shownAt = (port: number): Promise<string> =>
  new Promise((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port,
      rejectUnauthorized: false,
      ALPNProtocols: ['h2', 'http/1.1'],
    };
    const socket = connect(options, () => {
      resolve(socket.getPeerX509Certificate()?.serialNumber ?? '');
      socket.destroy();
    });
    socket.on('error', reject);
  });

const ask = (url: string, { ca, cert, key }: ClientConfig, agent: Agent): Promise<number> =>
  new Promise((resolve, reject) => {
    const tls = { ca: ca ?? '', cert: cert ?? '', key: key ?? '' };
    const sent = request(`${url}/api/v1/namespaces`, { agent, ...tls }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode ?? 0));
    });
    sent.on('error', reject);
    sent.end();
  });

const adminOf = ({ kubeconfig }: ServerStarted) => readKubeconfig(kubeconfig);

it('renews its certificates while it runs, and cuts nobody off', async () => {
  await using running = await start({ certificateSeconds: 10 });
  const apiPort = Number(new URL(running.url).port);
  const connected: number[] = [];
  const log = {
    ...silentLog,
    info: (_fields: object, text: string) => {
      if (text === 'connected to the server') connected.push(1);
    },
  };
  await using _agent = await startAgent(
    { token: running.joinToken, port: running.agentsPort },
    directory,
    { log },
  );
  const first = await adminOf(running);
  const old = new RestClient(first);
  await eventually(async () => connected.length > 0);

  // What is open now: a watch, a connection that is kept, and the agent's session.
  const seen: string[] = [];
  const stop = new AbortController();
  const { resourceVersion } = await old.list(CONFIG_MAPS, { namespace: 'default' });
  const watching = (async () => {
    const options = { namespace: 'default', resourceVersion };
    for await (const event of old.watch(CONFIG_MAPS, options, stop.signal))
      if ('object' in event) seen.push(event.object.metadata.name);
  })().catch(() => undefined);
  const kept = new Agent({ keepAlive: true, maxSockets: 1 });
  expect(await ask(running.url, first, kept)).toBe(200);

  const shown = [new Set<string>(), new Set<string>()];
  await eventually(async () => {
    shown[0]!.add(await shownAt(apiPort));
    shown[1]!.add(await shownAt(running.agentsPort));
    return shown[0]!.size >= 3 && shown[1]!.size >= 3;
  });

  expect(await ask(running.url, first, kept)).toBe(200);
  kept.destroy();
  const current = await adminOf(running);
  expect(current.cert).not.toBe(first.cert);
  const client = new RestClient(current);
  await client.create(CONFIG_MAPS, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'late', namespace: 'default' },
  });
  await eventually(async () => seen.includes('late'));
  stop.abort();
  await watching;

  // The certificate of the beginning has ended: whoever connects with it is nobody.
  const fresh = new Agent();
  expect(await ask(running.url, first, fresh)).toBe(401);
  expect(await ask(running.url, current, fresh)).toBe(200);

  await client.create(PODS, podDraft('web'));
  await eventually(async () => {
    const { status } = await client.get(PODS, { namespace: 'default', name: 'web' });
    return status.phase === 'Running';
  });
  expect(connected).toHaveLength(1);
});

it('goes on with what a restart finds, and makes anew what was torn', async () => {
  const before = await (async () => {
    await using running = await start();
    return await adminOf(running);
  })();
  const path = join(directory, 'data', 'pki', 'server.pem');
  await rm(path);
  await using running = await start();
  const after = await adminOf(running);
  expect(after.cert).toBe(before.cert);
  expect((await new RestClient(after).list(NODES)).items).toEqual([]);
});

it('takes nodes over to a new authority with a new token, their pods running on', async () => {
  const name = { namespace: 'default', name: 'web' };
  const sandboxes: string[] = [];
  const runtime = new FakeContainerRuntime();
  {
    await using running = await start();
    const plane = { token: running.joinToken, port: running.agentsPort };
    const agent = await startAgent(plane, directory, { runtime });
    const client = new RestClient(await adminOf(running));
    await client.create(PODS, podDraft('web'));
    await eventually(async () => (await client.get(PODS, name)).status.phase === 'Running');
    sandboxes.push(...runtime.sandboxes().map(({ id }) => id));
    await agent.stop();
  }
  for (const file of ['ca.crt', 'ca.key']) await rm(join(directory, 'data', 'pki', file));
  await using running = await start();
  const plane = { token: running.joinToken, port: running.agentsPort };
  await using _agent = await startAgent(plane, directory, { runtime });
  const client = new RestClient(await adminOf(running));
  await eventually(async () => {
    const { status } = await client.get(NODES, { namespace: '', name: 'n1' });
    const ready = status.conditions?.find(({ type }) => type === 'Ready');
    return ready?.status === 'True';
  });
  expect((await client.get(PODS, name)).status.phase).toBe('Running');
  expect(runtime.sandboxes().map(({ id }) => id)).toEqual(sandboxes);
  const bundle = await eventually(async () => {
    const { data } = await client.get(CONFIG_MAPS, { ...name, name: 'kube-root-ca.crt' });
    return data?.['ca.crt'] === (await adminOf(running)).ca;
  });
  expect(bundle).toBe(true);
});

it('replaces its authority, and cuts off only who still knows the former one alone', async () => {
  await using running = await start({ certificateSeconds: 60 });
  const folder = join(directory, 'data', 'pki');
  const plane = { token: running.joinToken, port: running.agentsPort };
  await using agent = await startAgent(plane, directory);
  await using away = await startAgent(plane, join(directory, 'away'), { name: 'n2' });
  await away.stop();
  const before = await adminOf(running);
  const fresh = () => new Agent();
  const { current, next } = await beginAuthorityRotation(folder, systemClock);

  const use = () => authorityUseOf(join(directory, 'data'), next.hash);
  await eventually(async () => (await use()).former.join() === 'n2');
  const during = await adminOf(running);
  expect(keyHashesIn(during.ca ?? '')).toEqual([current.hash, next.hash]);
  expect(new X509Certificate(during.cert ?? '').issuer).toContain('CN=dhow-ca@');
  // What the server shows is believed by all, and it believes all.
  for (const config of [before, during]) expect(await ask(running.url, config, fresh())).toBe(200);
  const client = new RestClient(during);
  const bundle = { namespace: 'default', name: 'kube-root-ca.crt' };
  await eventually(
    async () => (await client.get(CONFIG_MAPS, bundle)).data?.['ca.crt'] === during.ca,
  );
  // A node that joins now knows both.
  await using _late = await startAgent(plane, join(directory, 'late'), { name: 'n3' });
  expect((await use()).former).toEqual(['n2']);

  await finishAuthorityRotation(folder);
  await eventually(async () => (await adminOf(running)).ca === next.pem.certificate);
  expect(await ask(running.url, during, fresh())).toBe(200);
  await expect(ask(running.url, before, fresh())).rejects.toThrow();
  const token = await readFile(join(directory, 'data', 'join-token'), 'utf8');
  expect(parseJoinToken(token).caHash).toBe(next.hash);

  // Nodes go on, and find their way back.
  const store = new IdentityStore(join(directory, 'state'));
  await eventually(async () => store.load()?.caCertificate === next.pem.certificate);
  await agent.stop();
  await using _again = await startAgent({ port: running.agentsPort }, directory);
  await client.create(PODS, podDraft('web'));
  const name = { namespace: 'default', name: 'web' };
  await eventually(async () => (await client.get(PODS, name)).status.phase === 'Running');
  const stale = createTransport(onlyServer(away.identity), () => away.identity, systemClock);
  await expect(stale.renew(Buffer.alloc(0))).rejects.toThrow();
  stale.close();
});

it('is a certificate with its own key whenever it is killed', async () => {
  const program = join(directory, 'renew.js');
  await build({
    entryPoints: [join(__dirname, 'support', 'renew-forever.ts')],
    outfile: program,
    bundle: true,
    platform: 'node',
    target: 'node20',
    logLevel: 'error',
  });
  const folder = join(directory, 'pki');
  for (let round = 0; round < 12; round++) {
    const child = spawn(process.execPath, [program, folder], { stdio: 'pipe' });
    await once(child.stdout, 'data');
    await systemClock.sleep(200 * systemRandom.next());
    child.kill('SIGKILL');
    await once(child, 'exit');
    const before = (await readdir(folder)).filter((name) => name.startsWith('.'));
    expect(before.length).toBeLessThanOrEqual(1);
    const { server, admin, caCertificate } = await openPki({
      directory: folder,
      serverNames: [],
      lifeMs: 60_000,
      clock: systemClock,
    });
    const ca = new X509Certificate(caCertificate);
    for (const { certificate, key } of [server, admin]) {
      const parsed = new X509Certificate(certificate);
      expect(parsed.checkPrivateKey(createPrivateKey(key))).toBe(true);
      expect(parsed.verify(ca.publicKey)).toBe(true);
    }
  }
});
