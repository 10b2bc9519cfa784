import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { HttpsListener } from '../../control-plane/api-server/http/https-listener';
import { openPki } from '../../control-plane/pki/pki';
import { createRegistry, type Registry } from '../../control-plane/registry';
import { systemClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { systemRandom } from '../../lib/random';
import { createImageService, pushImage, readImageArchive } from '../../runtime/images';
import { buildTar } from '../../runtime/rootfs/tar-builder';

const run = promisify(execFile);
const signal = new AbortController().signal;

let dir: string;
let registry: Registry;
let server: Server;
let baseUrl: string;

const openRegistry = (): Promise<Registry> =>
  createRegistry({
    dir: join(dir, 'registry'),
    clock: systemClock,
    log: silentLog,
    mayWrite: () => true,
  });

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dhow-registry-'));
  registry = await openRegistry();
  server = createServer((request, response) => registry.handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await registry[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

const digestOf = (content: string | Buffer): string =>
  `sha256:${createHash('sha256').update(content).digest('hex')}`;

const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(new URL(path, baseUrl), { redirect: 'error', ...init });

const putBlob = async (content: string | Buffer, repository = 'library/web'): Promise<string> => {
  const digest = digestOf(content);
  const path = `/v2/${repository}/blobs/uploads/?digest=${digest}`;
  const response = await ask(path, { method: 'POST', body: Buffer.from(content) });
  expect(response.status).toBe(201);
  return digest;
};

const OCI = 'application/vnd.oci.image.manifest.v1+json';

const manifestOf = (config: string, ...layers: string[]): string => {
  const blob = (digest: string) => ({ mediaType: 'application/octet-stream', digest, size: 1 });
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI,
    config: blob(config),
    layers: layers.map(blob),
  });
};

const putManifest = (reference: string, content: string, type = OCI): Promise<Response> =>
  ask(`/v2/library/web/manifests/${reference}`, {
    method: 'PUT',
    body: content,
    headers: { 'content-type': type },
  });

/** A root file system with one file, as an archive of `reference`. */
const rootfsArchive = async (reference: string, text: string) => {
  const path = join(dir, 'rootfs.tar');
  await writeFile(path, buildTar({ path: 'etc/' }, { path: 'etc/motd', content: text }));
  return readImageArchive(path, { rootfs: true, reference });
};

const openImages = (name: string) =>
  createImageService({
    stateDir: join(dir, name),
    endpoints: () => [{ baseUrl, isMirror: true }],
    log: silentLog,
    clock: systemClock,
    random: systemRandom,
  });

describe('with the project’s own client', () => {
  it.each([
    ['busybox:1', 'docker.io/library/busybox'],
    ['dhow.local/busybox:1', 'dhow.local/busybox'],
    ['localhost:5000/team/web:1', 'localhost:5000/team/web'],
  ])('gives a node the image %s that was pushed', async (name, repository) => {
    await using archive = await rootfsArchive(name, 'hello');
    await pushImage(archive, { baseUrl, isMirror: true }, signal);

    await using images = await openImages('node');
    const { lowerDirs, config } = await images.pull(name, {}, signal);
    expect(await readFile(join(lowerDirs[0]!, 'etc/motd'), 'utf8')).toBe('hello');
    expect(config.cmd).toEqual(['/bin/sh']);

    expect(await (await ask('/v2/_catalog')).json()).toEqual({ repositories: [repository] });
    const [, host, path] = /^([^/]+)\/(.*)$/.exec(repository)!;
    const tags = await (await ask(`/v2/${path}/tags/list?ns=${host}`)).json();
    expect(tags).toEqual({ name: repository, tags: ['1'] });
  });

  it('does not give an image of one registry for that of another', async () => {
    await using archive = await rootfsArchive('dhow.local/library/web:1', 'hello');
    await pushImage(archive, { baseUrl, isMirror: true }, signal);
    await using images = await openImages('node');
    await expect(images.pull('web:1', {}, signal)).rejects.toThrow('not found');
    await expect(images.pull('quay.io/library/web:1', {}, signal)).rejects.toThrow('not found');
  });

  it('keeps images over a restart', async () => {
    await using archive = await rootfsArchive('dhow.local/web:1', 'kept');
    await pushImage(archive, { baseUrl, isMirror: true }, signal);
    await registry[Symbol.asyncDispose]();
    registry = await openRegistry();
    await using images = await openImages('node');
    const { lowerDirs } = await images.pull('dhow.local/web:1', {}, signal);
    expect(await readFile(join(lowerDirs[0]!, 'etc/motd'), 'utf8')).toBe('kept');
  });
});

it('exchanges images with skopeo, content type and digest unchanged', async () => {
  await using archive = await rootfsArchive('dhow.local/web:1', 'by skopeo');
  await pushImage(archive, { baseUrl, isMirror: true }, signal);
  const host = baseUrl.slice('http://'.length);
  const copy = (from: string, to: string) =>
    run('skopeo', [
      ...['--insecure-policy', 'copy', '--src-tls-verify=false', '--dest-tls-verify=false'],
      ...['--quiet', from, to],
    ]);
  await copy(`docker://${host}/dhow.local/web:1`, `oci:${dir}/layout:web`);
  await copy(`oci:${dir}/layout:web`, `docker://${host}/dhow.local/copy:2`);
  const [first, second] = await Promise.all([
    ask('/v2/dhow.local/web/manifests/1'),
    ask('/v2/dhow.local/copy/manifests/2'),
  ]);
  expect(second.status).toBe(200);
  expect(second.headers.get('content-type')).toBe(OCI);
  expect(await second.text()).toBe(await first.text());

  await copy(`docker://${host}/dhow.local/copy:2`, `docker-archive:${dir}/image.tar:x.io/y:3`);
  await copy(`docker-archive:${dir}/image.tar`, `docker://${host}/x.io/y:3`);
  await using images = await openImages('node');
  const { lowerDirs } = await images.pull('x.io/y:3', {}, signal);
  expect(await readFile(join(lowerDirs[0]!, 'etc/motd'), 'utf8')).toBe('by skopeo');
});

describe('uploads', () => {
  const begin = async (): Promise<string> => {
    const response = await ask('/v2/library/web/blobs/uploads/', { method: 'POST' });
    expect(response.status).toBe(202);
    return response.headers.get('location')!;
  };
  const patch = (location: string, body: string, range: string): Promise<Response> =>
    ask(location, { method: 'PATCH', body, headers: { 'content-range': range } });

  it('takes a blob in chunks', async () => {
    const location = await begin();
    expect((await patch(location, 'abc', '0-2')).headers.get('range')).toBe('0-2');
    const gap = await patch(location, 'x', '9-9');
    expect(gap.status).toBe(416);
    expect((await patch(location, 'def', '3-5')).status).toBe(202);
    expect((await ask(location)).headers.get('range')).toBe('0-5');
    const digest = digestOf('abcdefg');
    const done = await ask(`${location}?digest=${digest}`, { method: 'PUT', body: 'g' });
    expect(done.status).toBe(201);
    expect(await (await ask(done.headers.get('location')!)).text()).toBe('abcdefg');
    expect((await ask(location)).status).toBe(404);
  });

  it('forgets an upload whose connection broke', async () => {
    const location = await begin();
    const { port } = server.address() as AddressInfo;
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(`PATCH ${location} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc`);
    await until(async () => (await ask(location)).headers.get('range') === '0-2');
    socket.destroy();
    await until(async () => (await ask(location)).status === 404);
    expect(await readdir(join(dir, 'registry/uploads'))).toEqual([]);
  });

  it('refuses content with another digest and keeps nothing of it', async () => {
    const location = await begin();
    const digest = digestOf('good');
    const response = await ask(`${location}?digest=${digest}`, { method: 'PUT', body: 'evil' });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ errors: [{ code: 'DIGEST_INVALID' }] });
    expect((await ask(`/v2/library/web/blobs/${digest}`)).status).toBe(404);
    expect(await readdir(join(dir, 'registry/uploads'))).toEqual([]);
    expect(await readdir(join(dir, 'registry/blobs/sha256'))).toEqual([]);
  });

  it('forgets unfinished uploads at start and keeps blobs pushed before', async () => {
    const location = await begin();
    await patch(location, 'abc', '0-2');
    const digest = await putBlob('kept');
    await registry[Symbol.asyncDispose]();
    await writeFile(join(dir, 'registry/uploads/left-by-a-crash'), 'x');
    registry = await openRegistry();
    expect((await ask(location)).status).toBe(404);
    expect(await readdir(join(dir, 'registry/uploads'))).toEqual([]);
    expect((await ask(`/v2/library/web/blobs/${digest}`)).status).toBe(200);
  });

  it('mounts what is here and takes an upload of what is not', async () => {
    const digest = await putBlob('shared');
    const mount = (wanted: string) =>
      ask(`/v2/other/app/blobs/uploads/?mount=${wanted}&from=library/web`, { method: 'POST' });
    expect((await mount(digest)).status).toBe(201);
    expect((await mount(digestOf('absent'))).status).toBe(202);
  });
});

it('serves ranges of a blob', async () => {
  const path = `/v2/library/web/blobs/${await putBlob('0123456789')}`;
  const range = (value: string) => ask(path, { headers: { range: value } });
  const part = await range('bytes=4-6');
  expect([part.status, part.headers.get('content-range')]).toEqual([206, 'bytes 4-6/10']);
  expect(await part.text()).toBe('456');
  expect(await (await range('bytes=8-')).text()).toBe('89');
  expect((await range('bytes=10-')).status).toBe(416);
  const head = await ask(path, { method: 'HEAD' });
  expect([head.status, head.headers.get('content-length')]).toEqual([200, '10']);
});

describe('manifests', () => {
  it('are refused when a part, the type or the digest is wrong', async () => {
    const config = await putBlob('{}');
    const good = manifestOf(config);
    const other = digestOf('other');
    const refusals = [
      await putManifest('v1', manifestOf(config, other)),
      await putManifest('v1', good, 'text/plain'),
      await putManifest('v1', 'not json'),
      await putManifest('v1', '[]'),
      await putManifest('v1', JSON.stringify({ schemaVersion: 1 })),
      await putManifest(other, good),
      await putManifest('v1', good + ' '.repeat(4 * 2 ** 20)),
    ];
    expect(refusals.map(({ status }) => status)).toEqual([404, 415, 400, 400, 400, 400, 413]);
    expect((await ask('/v2/library/web/tags/list')).status).toBe(404);
    expect((await putManifest('v1', good)).status).toBe(201);
  });

  it('are found by tag and digest until they are deleted', async () => {
    const content = manifestOf(await putBlob('{}'));
    const digest = digestOf(content);
    await putManifest('v1', content);
    await putManifest('v2', content);
    const path = (reference: string) => `/v2/library/web/manifests/${reference}`;
    const head = await ask(path('v1'), { method: 'HEAD' });
    expect(head.headers.get('docker-content-digest')).toBe(digest);
    expect(await (await ask(path(digest))).text()).toBe(content);

    expect((await ask(path('v1'), { method: 'DELETE' })).status).toBe(202);
    expect((await ask(path('v1'))).status).toBe(404);
    expect((await ask(path('v2'))).status).toBe(200);
    expect((await ask(path(digest), { method: 'DELETE' })).status).toBe(202);
    expect((await ask(path('v2'))).status).toBe(404);
    expect((await ask(path(digest), { method: 'DELETE' })).status).toBe(404);
    expect(await (await ask('/v2/_catalog')).json()).toEqual({ repositories: [] });
  });

  it('lists tags page by page', async () => {
    const content = manifestOf(await putBlob('{}'));
    for (const tag of ['c', 'a', 'b']) await putManifest(tag, content);
    const first = await ask('/v2/library/web/tags/list?n=2');
    expect(await first.json()).toMatchObject({ tags: ['a', 'b'] });
    const [, next] = /^<(.*)>; rel="next"$/.exec(first.headers.get('link')!)!;
    const second = await ask(next!);
    expect(await second.json()).toMatchObject({ tags: ['c'] });
    expect(second.headers.get('link')).toBeNull();
  });
});

const BUDGET = { connectionsMax: 100, bodyBytes: 1024, unreadBytes: 1024 };

it('takes writes from administrators alone', async () => {
  const pki = await openPki({ directory: join(dir, 'pki'), serverNames: [], clock: systemClock });
  const own = await createRegistry({ dir: join(dir, 'own'), clock: systemClock, log: silentLog });
  const handlers = {
    handle: () => Promise.reject(new Error('not the registry')),
    upgrade: () => Promise.reject(new Error('not the registry')),
    registry: own.handle.bind(own),
  };
  const listener = new HttpsListener(pki, BUDGET, handlers, silentLog);
  try {
    const { port } = await listener.listen({ host: '127.0.0.1', port: 0 });
    const node = await pki.issueClient('system:node:n1', 'system:nodes');
    const status = (method: string, path: string, user?: typeof node, headers = {}) =>
      statusOf({
        headers,
        ...{ host: '127.0.0.1', port, method, path, ca: pki.caCertificate, agent: false },
        ...(user && { cert: user.certificate, key: user.key }),
      });
    expect(await status('GET', '/v2/', node)).toBe(200);
    expect(await status('GET', '/v2/')).toBe(401);
    const uploads = '/v2/library/web/blobs/uploads/';
    expect(await status('POST', uploads, node)).toBe(403);
    expect(await status('PUT', '/v2/library/web/manifests/v1', node)).toBe(403);
    expect(await status('DELETE', '/v2/library/web/manifests/v1', node)).toBe(403);
    expect(await status('POST', uploads, pki.admin)).toBe(202);
    // Whoever asks to be taken for another must not act as themselves.
    const acting = { 'Impersonate-User': 'dev' };
    expect(await status('POST', uploads, pki.admin, acting)).toBe(403);
    expect(await status('GET', '/v2/', pki.admin, acting)).toBe(403);
  } finally {
    await listener[Symbol.asyncDispose]();
    await own[Symbol.asyncDispose]();
  }
});

it('survives hostile requests without leaving its folder', async () => {
  await mkdir(join(dir, 'secret'));
  await writeFile(join(dir, 'secret/v1'), digestOf('x'));
  const { port } = server.address() as AddressInfo;
  const raw = (line: string): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () =>
        socket.write(`${line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`),
      );
      let text = '';
      socket.on('data', (chunk) => (text += chunk.toString()));
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(text.split('\r\n')[0]!));
    });
  const lines = [
    'GET /v2/../../secret/manifests/v1',
    'GET /v2/..%2f..%2fsecret/manifests/v1',
    'GET /v2/a/manifests/..%2f..%2fv1',
    'GET /v2/a/blobs/sha256:..%2f..%2fsecret',
    'GET //evil/v2/',
    'GET http://evil:99999/v2/',
    'TRACE /v2/a/manifests/v1',
  ];
  for (const line of lines)
    expect([line, await raw(line)]).toEqual([line, expect.stringMatching(/^HTTP\/1\.1 4\d\d /)]);
  expect((await ask('/v2/')).status).toBe(200);
});

const statusOf = (options: RequestOptions): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const outgoing = httpsRequest(options, (response: IncomingMessage) => {
      response.resume();
      resolve(response.statusCode);
    });
    outgoing.on('error', reject);
    outgoing.end();
  });

const until = async (holds: () => Promise<boolean>): Promise<void> => {
  const deadlineMs = Date.now() + 60_000;
  while (!(await holds())) {
    if (Date.now() > deadlineMs) throw new Error('not within a minute');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};

it.each([
  ['a list that is a number', { layers: 5 }],
  ['a list that is an object', { manifests: { a: 1 } }],
  ['a list that is text', { layers: 'abc' }],
  ['a part that is nothing', { layers: [null] }],
  ['a part without a digest', { layers: [{}] }],
  ['a part that is a list', { manifests: [[]] }],
  ['a config that is a number', { config: 5 }],
  ['a digest that is a number', { config: { digest: 5 } }],
])('refuses a manifest with %s', async (_what, content) => {
  const path = '/v2/library/web/manifests/v1';
  const body = JSON.stringify({ schemaVersion: 2, ...content });
  const response = await ask(path, { method: 'PUT', body, headers: { 'content-type': OCI } });
  expect(response.status).toBe(400);
});

it('refuses a name that it cannot store as a name, and does not fail', async () => {
  const path = `/v2/${'a/'.repeat(100)}b/manifests/v1`;
  const body = JSON.stringify({ schemaVersion: 2 });
  for (const init of [{}, { method: 'PUT', body, headers: { 'content-type': OCI } }]) {
    const response = await ask(path, init);
    expect(response.status).toBe(400);
    expect(await response.text()).toMatch(/NAME_INVALID.*longer than this registry can store/);
  }
});
