import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { etcdCredentialsOf } from '../../control-plane/etcd-credentials';
import { openPki } from '../../control-plane/pki/pki';
import { EtcdConnection } from '../../control-plane/store/etcd/connection';
import { systemClock } from '../../lib/clock';
import { eventually } from './support/agent-plane';
import { startOwnServer } from './support/own-server';

jest.setTimeout(180_000);

let directory: string;
let etcd: ChildProcess | undefined;

beforeEach(async () => {
  etcd = undefined;
  directory = await mkdtemp(join(tmpdir(), 'dhow-etcd-tls-'));
});

afterEach(async () => {
  if (etcd !== undefined && etcd.exitCode === null) {
    etcd.kill('SIGKILL');
    await once(etcd, 'exit');
  }
  await rm(directory, { recursive: true, force: true });
});

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
};

/** Its own authority, with a server and a client; nobody else is let in. */
const startEtcd = async () => {
  const pki = await openPki({
    directory: join(directory, 'etcd-pki'),
    ...{ serverNames: [], clock: systemClock },
  });
  const client = await pki.issueClient('etcd-client');
  const files = {
    ca: pki.caCertificate,
    server: pki.server.certificate,
    'server-key': pki.server.key,
    client: client.certificate,
    'client-key': client.key,
  };
  const paths = Object.fromEntries(
    await Promise.all(
      Object.entries(files).map(async ([name, text]) => {
        const path = join(directory, `${name}.pem`);
        await writeFile(path, text, { mode: 0o600 });
        return [name, path] as const;
      }),
    ),
  ) as Record<keyof typeof files, string>;
  const [port, peerPort] = [await freePort(), await freePort()];
  const url = `https://127.0.0.1:${port}`;
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  const child = spawn(
    'etcd',
    [
      ...[
        '--data-dir',
        join(directory, 'etcd'),
        '--name',
        'one',
        '--logger',
        'zap',
        '--log-level',
        'error',
      ],
      ...['--listen-client-urls', url, '--advertise-client-urls', url],
      ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
      ...['--initial-cluster', `one=${peerUrl}`, '--client-cert-auth'],
      ...['--trusted-ca-file', paths.ca, '--cert-file', paths.server],
      ...['--key-file', paths['server-key']],
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  etcd = child;
  return { endpoint: `127.0.0.1:${port}`, paths };
};

it('speaks TLS with an etcd, by a certificate that it asks for', async () => {
  const { endpoint, paths } = await startEtcd();
  const answers = async (files: object): Promise<boolean> => {
    const options = { etcdEndpoints: [endpoint], ...files };
    const credentials = await etcdCredentialsOf(options);
    using connection = new EtcdConnection({
      ...{ endpoints: [endpoint], callTimeoutMs: 2_000 },
      ...(credentials === undefined ? {} : { credentials }),
    });
    return await connection
      .callKv((kv) => kv.txn.bind(kv), { compare: [], success: [], failure: [] })
      .then(
        () => true,
        () => false,
      );
  };
  const good = {
    ...{ etcdCaFile: paths.ca, etcdCertFile: paths.client, etcdKeyFile: paths['client-key'] },
  };
  await eventually(() => answers(good));
  expect(await answers({})).toBe(false);
  expect(await answers({ etcdCaFile: paths.ca })).toBe(false);
  expect(await answers({ ...good, etcdCaFile: paths.client })).toBe(false);

  await using server = await startOwnServer({
    flags: [
      ...['--etcd-endpoint', endpoint, '--etcd-ca-file', paths.ca],
      ...['--etcd-cert-file', paths.client, '--etcd-key-file', paths['client-key']],
    ],
  });
  await eventually(async () => (await server.ask('GET', '/readyz')).status === 200);
  expect((await server.ask('GET', '/api/v1/namespaces/default')).status).toBe(200);
});

it('says which flag is wrong before anything is tried', async () => {
  const ca = join(directory, 'ca.pem');
  await writeFile(ca, 'no certificate');
  const etcdEndpoints = ['127.0.0.1:1'];
  const problem = (files: object, endpoints = etcdEndpoints) =>
    etcdCredentialsOf({ etcdEndpoints: endpoints, ...files }).then(
      () => undefined,
      (error: unknown) => (error as Error).message,
    );
  expect(await problem({})).toBeUndefined();
  expect(await problem({ etcdCaFile: ca }, [])).toBe(
    '--etcd-ca-file is for an etcd of --etcd-endpoint',
  );
  expect(await problem({ etcdKeyFile: ca })).toContain('--etcd-key-file without --etcd-ca-file');
  expect(await problem({ etcdCaFile: ca, etcdCertFile: ca })).toContain('given together');
  expect(await problem({ etcdCaFile: join(directory, 'none') })).toMatch(
    /^--etcd-ca-file: .*ENOENT/,
  );
  expect(await problem({ etcdCaFile: ca })).toMatch(/^--etcd-ca-file: not PEM/);
});
