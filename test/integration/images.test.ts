import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { systemClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { systemRandom } from '../../lib/random';
import type { ImageService, LocalImage } from '../../runtime/image-service';
import {
  createImageService,
  ownEndpoint,
  pushImage,
  readImageArchive,
  resolveUser,
  UserError,
} from '../../runtime/images';
import { libc } from '../../runtime/rootfs/libc';
import { buildTar, type TarMember } from '../../runtime/rootfs/tar-builder';

const run = promisify(execFile);
const signal = new AbortController().signal;
const digestOf = (content: Buffer): string =>
  `sha256:${createHash('sha256').update(content).digest('hex')}`;

let dir: string;
let server: Server;
let host: string;
let requests: { readonly path: string; readonly range: string | undefined }[];
/** What the registry of this test holds: path below /v2/ → content. */
let contents: Map<string, Buffer>;
let answerBlob: ((request: IncomingMessage, response: ServerResponse, blob: Buffer) => void) | null;
let mounts: string[];
let children: ChildProcess[];

const serve = (request: IncomingMessage, response: ServerResponse): void => {
  const path = (request.url ?? '').replace(/^\/v2\//, '');
  requests.push({ path, range: request.headers.range });
  const content = contents.get(path);
  if (content === undefined) {
    response.writeHead(404).end();
  } else if (path.includes('/blobs/') && answerBlob !== null && content.length > 1_000_000) {
    answerBlob(request, response, content);
  } else {
    response.writeHead(200, { 'content-length': content.length }).end(content);
  }
};

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dhow-images-'));
  [requests, contents, answerBlob, mounts, children] = [[], new Map(), null, [], []];
  server = createServer(serve);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  for (const child of children) {
    if (child.exitCode === null && child.kill('SIGKILL')) await once(child, 'exit');
  }
  for (const path of mounts) await run('umount', [path]);
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(dir, { recursive: true, force: true });
});

const openImages = (name = 'node', workerPath?: string): Promise<ImageService> =>
  createImageService({
    stateDir: join(dir, name),
    endpoints: (reference) => [ownEndpoint(reference)],
    ...(workerPath === undefined ? {} : { workerPath }),
    log: silentLog,
    clock: systemClock,
    random: systemRandom,
  });

interface Layer {
  readonly tar: Buffer;
  /** Default: the archive gzipped. */
  readonly blob?: Buffer;
}

/** Publishes an image and returns its reference. */
const publish = (name: string, ...layers: readonly Layer[]): string => {
  const put = (content: Buffer) => {
    contents.set(`${name}/blobs/${digestOf(content)}`, content);
    return { digest: digestOf(content), size: content.length };
  };
  const config = Buffer.from(
    JSON.stringify({
      os: 'linux',
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      config: { Cmd: ['/bin/sh'] },
      rootfs: { type: 'layers', diff_ids: layers.map(({ tar }) => digestOf(tar)) },
    }),
  );
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...put(config) },
    layers: layers.map(({ tar, blob = gzipSync(tar) }) => ({
      mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
      ...put(blob),
    })),
  };
  contents.set(`${name}/manifests/1`, Buffer.from(JSON.stringify(manifest)));
  return `${host}/${name}:1`;
};

const layer = (...members: readonly TarMember[]): Layer => ({ tar: buildTar(...members) });

/** The image as a container would see it. */
const mounted = async ({ lowerDirs }: Pick<LocalImage, 'lowerDirs'>): Promise<string> => {
  const path = await mkdtemp(join(dir, 'mount-'));
  const empty = await mkdtemp(join(dir, 'empty-'));
  const lowerdir = [...lowerDirs, empty].join(':');
  await run('mount', ['-t', 'overlay', '-o', `ro,lowerdir=${lowerdir}`, 'overlay', path]);
  mounts.push(path);
  return path;
};

const treeOf = (root: string): string[] =>
  readdirSync(root, { recursive: true }).map(String).sort();

const pullAndMount = async (...layers: readonly Layer[]): Promise<string> => {
  await using images = await openImages();
  return await mounted(await images.pull(publish('web', ...layers), {}, signal));
};

describe('layers, seen through overlayfs', () => {
  const below = layer({ path: 'd/' }, { path: 'd/old' }, { path: 'd/sub/' }, { path: 'd/sub/x' });
  const opaque: TarMember = { path: 'd/.wh..wh..opq' };
  const added: TarMember[] = [{ path: 'd/.config' }, { path: 'd/sub/' }, { path: 'd/sub/y' }];

  it.each([
    ['last', [...added, opaque]],
    ['first', [opaque, ...added]],
    ['after its folder', [{ path: 'd/' }, opaque, ...added]],
  ])('an opaque mark that comes %s hides only what is below', async (_order, members) => {
    const root = await pullAndMount(below, layer(...members));
    expect(treeOf(root)).toEqual(['d', 'd/.config', 'd/sub', 'd/sub/y']);
  });

  it('a lone opaque mark leaves an empty folder, one at the root nothing', async () => {
    expect(treeOf(await pullAndMount(below, layer(opaque)))).toEqual(['d']);
    const root = await pullAndMount(below, layer({ path: '.wh..wh..opq' }, { path: 'new' }));
    expect(treeOf(root)).toEqual(['new']);
  });

  it('whiteouts hide files and folders of lower layers', async () => {
    const root = await pullAndMount(below, layer({ path: 'd/.wh.sub' }, { path: 'd/.wh.old' }));
    expect(treeOf(root)).toEqual(['d']);
  });

  it('hard links reach into lower layers and outlive their first name', async () => {
    const layers = [
      layer({ path: 'a', content: '12345' }, { path: 'b', type: '1', link: 'a' }),
      layer({ path: '.wh.a' }),
      layer({ path: 'c', type: '1', link: 'b' }),
    ];
    const root = await pullAndMount(...layers);
    expect(treeOf(root)).toEqual(['b', 'c']);
    for (const name of ['b', 'c']) expect(readFileSync(join(root, name), 'utf8')).toBe('12345');
    const without = layer({ path: '.wh.c', type: '1', link: 'b' });
    expect(treeOf(await pullAndMount(...layers, without))).toEqual(['b']);
  });

  it('the last of duplicates wins, and a change of type follows no link', async () => {
    const root = await pullAndMount(
      layer(
        ...[
          { path: 'f', content: '1' },
          { path: 'd/', mode: 0o755 },
          { path: 'f', content: '2' },
        ],
        ...[{ path: 'd/', mode: 0o2750 }, { path: './d/', mode: 0o2750 }, { path: 'bin/s' }],
        ...[{ path: 'lib/' }, { path: 'lib/old' }, { path: 'usr/' }],
        { path: 'link', type: '2', link: 'usr' },
      ),
      layer(
        { path: 'bin/s', type: '2', link: '/f' },
        { path: 'lib', type: '2', link: 'usr' },
        ...[{ path: 'link/' }, { path: 'link/in', content: 'x' }],
      ),
    );
    expect(readFileSync(join(root, 'f'), 'utf8')).toBe('2');
    expect(lstatSync(join(root, 'd')).mode & 0o7777).toBe(0o2750);
    expect(lstatSync(join(root, 'bin/s')).isSymbolicLink()).toBe(true);
    expect(treeOf(join(root, 'usr'))).toEqual([]);
    expect(treeOf(join(root, 'link'))).toEqual(['in']);
  });

  it('long names, owners and times are exact', async () => {
    const name = ['n'.repeat(120), 'ü'.repeat(59)].join('/');
    const pax = { path: name, uid: '4000000000', mtime: '1700000000.123456789' };
    const target = 't'.repeat(180);
    const gnu = `${'g'.repeat(130)}/${'h'.repeat(109)}`;
    const root = await pullAndMount(
      layer(
        { path: 'global', type: 'g', content: '12 a=bcdefg\n' },
        { path: 'x', content: 'long', pax },
        { path: 's', type: '2', pax: { linkpath: target } },
        { path: '././@LongLink', type: 'L', content: `${gnu}\0` },
        { path: 'x', content: 'gnu' },
      ),
    );
    const stats = lstatSync(join(root, name), { bigint: true });
    expect([stats.uid, stats.mtimeNs]).toEqual([4000000000n, 1700000000123456789n]);
    expect((await run('readlink', [join(root, 's')])).stdout.trim()).toBe(target);
    expect(readFileSync(join(root, gnu), 'utf8')).toBe('gnu');
    expect(existsSync(join(root, 'global'))).toBe(false);
  });

  it('set-uid bits, file capabilities and user attributes survive a change of owner', async () => {
    const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
    const root = await pullAndMount(
      layer(
        { path: 'u', mode: 0o4755 },
        { path: 'g', mode: 0o2755, uid: 5, gid: 7 },
        { path: 'c', uid: 9, pax: { 'SCHILY.xattr.security.capability': capability } },
        { path: 't', pax: { 'SCHILY.xattr.user.note': 'n', 'SCHILY.xattr.security.selinux': 'l' } },
      ),
    );
    expect(lstatSync(join(root, 'u')).mode & 0o7777).toBe(0o4755);
    const { mode, uid, gid } = lstatSync(join(root, 'g'));
    expect([mode & 0o7777, uid, gid]).toEqual([0o2755, 5, 7]);
    expect((await run('getcap', [join(root, 'c')])).stdout).toContain('cap_net_raw=ep');
    expect(libc().getXattr(join(root, 't'), 'user.note')?.toString()).toBe('n');
  });

  it('a folder that a layer only passes through keeps its attributes', async () => {
    const note = { 'SCHILY.xattr.user.note': 'n' };
    const root = await pullAndMount(
      layer({ path: 'd', type: '5', mode: 0o2750, gid: 7, pax: note }),
      layer({ path: 'd/f' }),
    );
    expect(libc().getXattr(join(root, 'd'), 'user.note')?.toString()).toBe('n');
    const { mode, gid } = lstatSync(join(root, 'd'));
    expect([mode & 0o7777, gid]).toEqual([0o2750, 7]);
  });

  it('reads every gzip member, also none where gzip is promised, and refuses a cut layer', async () => {
    const { tar } = layer({ path: 'a', content: 'a'.repeat(2000) }, { path: 'z', content: 'z' });
    const parts = [tar.subarray(0, 700), tar.subarray(700, 1500), tar.subarray(1500)];
    const blob = Buffer.concat(parts.map((part) => gzipSync(part)));
    for (const each of [blob, tar])
      expect(treeOf(await pullAndMount({ tar, blob: each }))).toEqual(['a', 'z']);

    const cut = gzipSync(randomBytes(5000)).subarray(0, -20);
    await using images = await openImages('cut');
    const pull = images.pull(publish('cut', { tar, blob: cut }), {}, signal);
    await expect(pull).rejects.toThrow(digestOf(cut));
    expect(await images.list()).toEqual([]);
    expect(treeOf(join(dir, 'cut/snapshots'))).toEqual([]);
  });
});

it('lets nothing out of the root, whatever a layer says', async () => {
  const outside = join(dir, 'outside');
  await mkdir(outside);
  await writeFile(join(outside, 'secret'), 'kept');
  const up = '../'.repeat(20);
  const root = await pullAndMount(
    layer({ path: `${up}tmp/escaped-${host}`, content: 'x' }, { path: `${outside}/absolute` }),
    layer({ path: 'l', type: '2', link: outside }, { path: 'l/through', content: 'x' }),
    layer({ path: 'l/lower', content: 'x' }, { path: 'm', type: '2', link: up + outside }),
    layer({ path: 'm/relative' }, { path: 'l/.wh.secret' }, { path: 'm/.wh..wh..opq' }),
  );
  expect(existsSync(join(tmpdir(), `escaped-${host}`))).toBe(false);
  expect(treeOf(outside)).toEqual(['secret']);
  expect(treeOf(join(root, outside))).toEqual(['relative']);

  await using images = await openImages('links');
  for (const link of [`${outside}/secret`, `${up}${outside}/secret`, 'l/secret', 'missing']) {
    const hostile = layer({ path: 'l', type: '2', link: outside }, { path: 'z', type: '1', link });
    const pull = images.pull(publish('hostile', hostile), {}, signal);
    await expect(pull).rejects.toThrow(/sha256:.*entry "z".*not a file of this image/);
  }
  expect(treeOf(join(dir, 'links/snapshots'))).toEqual([]);
  expect(readFileSync(join(outside, 'secret'), 'utf8')).toBe('kept');
});

it('unpacks the same in a worker thread', async () => {
  const workerPath = join(dir, 'unpack-worker.js');
  await build({
    entryPoints: ['runtime/rootfs/unpack-worker.ts'],
    absWorkingDir: process.cwd(),
    outfile: workerPath,
    bundle: true,
    platform: 'node',
    alias: { koffi: require.resolve('koffi') },
    external: [require.resolve('koffi')],
  });
  const reference = publish(
    'web',
    layer({ path: 'd/', uid: 3 }, { path: 'd/a', content: 'x', mode: 0o4711 }, { path: 'e' }),
    layer({ path: '.wh.e' }, { path: 'd/b', type: '1', link: 'd/a' }),
  );
  const listing = async (name: string, worker?: string): Promise<string> => {
    await using images = await openImages(name, worker);
    const root = await mounted(await images.pull(reference, {}, signal));
    return (await run('find', [root, '-mindepth', '1', '-printf', '%P %y %m %U %T@\n'])).stdout;
  };
  const lines = (await listing('here')).split('\n').sort();
  expect((await listing('thread', workerPath)).split('\n').sort()).toEqual(lines);

  await using images = await openImages('bad', workerPath);
  const bad = publish('bad', layer({ path: 'z', type: '1', link: 'missing' }));
  await expect(images.pull(bad, {}, signal)).rejects.toThrow('not a file of this image');
});

it.each(['docker-archive', 'oci-archive', 'oci'])('imports the %s of skopeo', async (kind) => {
  const path = join(dir, 'layout');
  await run('umoci', ['init', '--layout', path]);
  await run('umoci', ['new', '--image', `${path}:1`]);
  const tar = join(dir, 'rootfs.tar');
  await writeFile(tar, buildTar({ path: 'etc/' }, { path: 'etc/motd', content: 'imported' }));
  await run('umoci', ['raw', 'add-layer', '--image', `${path}:1`, tar]);
  const out = join(dir, 'out');
  const to =
    kind === 'docker-archive' ? `${kind}:${out}:docker.io/library/web:1` : `${kind}:${out}:1`;
  await run('skopeo', ['--insecure-policy', 'copy', '--quiet', `oci:${path}:1`, to]);
  await using archive = await readImageArchive(out, { reference: 'docker.io/library/web:1' });
  const [image] = archive.images;
  expect(image?.references).toEqual(['docker.io/library/web:1']);
  contents.set('web/manifests/1', image!.manifest);
  for (const blob of image!.blobs) {
    const chunks: Buffer[] = [];
    for await (const chunk of blob.open()) chunks.push(chunk);
    contents.set(`web/blobs/${blob.digest}`, Buffer.concat(chunks));
  }
  await using images = await openImages();
  const root = await mounted(await images.pull(`${host}/web:1`, {}, signal));
  expect(readFileSync(join(root, 'etc/motd'), 'utf8')).toBe('imported');
});

it('speaks to a registry with basic auth', async () => {
  const password = join(dir, 'htpasswd');
  // "user" and "secret", by bcrypt with the least cost.
  const hash = await bcryptOf('secret');
  await writeFile(password, `user:${hash}\n`);
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  const config = {
    version: 0.1,
    storage: { filesystem: { rootdirectory: join(dir, 'registry') } },
    http: { addr: `127.0.0.1:${port}`, secret: 'x' },
    auth: { htpasswd: { realm: 'test', path: password } },
  };
  await writeFile(join(dir, 'config.yml'), JSON.stringify(config));
  const child = spawn('docker-registry', ['serve', join(dir, 'config.yml')], { stdio: 'ignore' });
  children.push(child);
  const baseUrl = `http://127.0.0.1:${port}`;
  for (let tries = 0; ; tries++) {
    const answer = await fetch(`${baseUrl}/v2/`).catch(() => undefined);
    if (answer?.status === 401) break;
    if (tries > 200 || child.exitCode !== null) throw new Error('docker-registry did not start');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const reference = `127.0.0.1:${port}/team/web:1`;
  await writeFile(join(dir, 'rootfs.tar'), buildTar({ path: 'motd', content: 'private' }));
  await using archive = await readImageArchive(join(dir, 'rootfs.tar'), {
    rootfs: true,
    reference,
  });
  const authorization = `Basic ${Buffer.from('user:secret').toString('base64')}`;
  await pushImage(archive, { baseUrl, authorization }, signal);
  await using images = await openImages();
  const wrong = { username: 'user', password: 'wrong' };
  const right = { username: 'user', password: 'secret' };
  const pull = images.pull(reference, { credentials: [wrong, wrong] }, signal);
  await expect(pull).rejects.toThrow('UNAUTHORIZED');
  await expect(images.pull(reference, {}, signal)).rejects.toThrow('UNAUTHORIZED');
  const pulled = await images.pull(reference, { credentials: [wrong, right, wrong] }, signal);
  const { lowerDirs, credentials } = pulled;
  expect(credentials).toEqual(right);
  expect(await readFile(join(lowerDirs[0]!, 'motd'), 'utf8')).toBe('private');
});

const bcryptOf = async (text: string): Promise<string> => {
  const script = 'print crypt($ARGV[0], q($2y$04$abcdefghijklmnopqrstuu))';
  return (await run('perl', ['-e', script, text])).stdout;
};

describe('a connection that breaks in the middle of a blob', () => {
  const big = (): Layer => {
    const tar = buildTar({ path: 'big', content: randomBytes(4_000_000) });
    return { tar, blob: tar };
  };
  const cutAt = (response: ServerResponse, blob: Buffer, bytes: number): void => {
    response.writeHead(200, { 'content-length': blob.length });
    response.write(blob.subarray(0, bytes), () => response.destroy());
  };
  const startOf = ({ headers }: IncomingMessage): number =>
    Number(/^bytes=([0-9]+)-/.exec(headers.range ?? '')?.[1] ?? 0);
  const blobRequests = () => requests.filter(({ path }) => path.endsWith(bigDigest));
  let bigDigest = '';

  const pullBig = async (): Promise<void> => {
    const image = big();
    bigDigest = digestOf(image.tar);
    await using images = await openImages();
    const { lowerDirs } = await images.pull(publish('big', image), {}, signal);
    const content = readFileSync(join(lowerDirs[0]!, 'big'));
    expect(content.equals(image.tar.subarray(512, 512 + 4_000_000))).toBe(true);
  };

  it('fetches only the rest where Range is honoured', async () => {
    answerBlob = (request, response, blob) => {
      const start = startOf(request);
      if (start === 0) {
        cutAt(response, blob, 2_400_000);
        return;
      }
      const range = `bytes ${start}-${blob.length - 1}/${blob.length}`;
      response.writeHead(206, { 'content-range': range }).end(blob.subarray(start));
    };
    await pullBig();
    const [first, second, ...more] = blobRequests();
    expect([first?.range, more]).toEqual([undefined, []]);
    expect(Number(/[0-9]+/.exec(second?.range ?? '')?.[0])).toBeGreaterThan(0);
  });

  it('starts again where Range is ignored', async () => {
    answerBlob = (request, response, blob) => {
      if (startOf(request) === 0) cutAt(response, blob, 2_400_000);
      else response.writeHead(200, { 'content-length': blob.length }).end(blob);
    };
    await pullBig();
    expect(blobRequests()).toHaveLength(2);
  });

  it('starts again when another range comes than was asked for', async () => {
    let count = 0;
    answerBlob = (request, response, blob) => {
      if (++count === 1) {
        cutAt(response, blob, 2_400_000);
      } else if (startOf(request) > 0) {
        const range = `bytes 0-${blob.length - 1}/${blob.length}`;
        response.writeHead(206, { 'content-range': range }).end(blob);
      } else {
        response.writeHead(200, { 'content-length': blob.length }).end(blob);
      }
    };
    await pullBig();
    expect(blobRequests().map(({ range }) => range !== undefined)).toEqual([false, true, false]);
  });

  it('gives up after a bounded number of tries', async () => {
    answerBlob = (_request, response, blob) => cutAt(response, blob, 100_000);
    await expect(pullBig()).rejects.toThrow('failed to pull and unpack image');
    expect(blobRequests().length).toBeLessThanOrEqual(6);
    expect(treeOf(join(dir, 'node/snapshots'))).toEqual([]);
  });
});

it('pulls once for all who ask at the same time', async () => {
  await using images = await openImages();
  const reference = publish('web', layer({ path: 'a' }));
  const pulls = Array.from({ length: 10 }, () => images.pull(reference, {}, signal));
  expect(new Set((await Promise.all(pulls)).map(({ id }) => id)).size).toBe(1);
  expect(requests).toHaveLength(3);
});

it('finds users by the files of the image only', async () => {
  await using images = await openImages();
  const { lowerDirs } = await images.pull(
    publish(
      'users',
      layer(
        { path: 'store/etc/passwd', content: 'svc:x:77:88::/:\n' },
        { path: 'store/etc/group', content: 'svc:x:88:\nextra:x:99:svc\n' },
      ),
      layer({ path: 'etc', type: '2', link: '/store/etc' }),
    ),
    {},
    signal,
  );
  expect(resolveUser(lowerDirs, 'svc')).toEqual({ uid: 77, gid: 88, supplementalGids: [99] });

  const hostFile = layer({ path: 'etc/passwd', type: '2', link: '/../../../../../etc/group' });
  const looped = await images.pull(publish('loop', hostFile), {}, signal);
  expect(() => resolveUser(looped.lowerDirs, 'daemon')).toThrow('unable to find user daemon');

  const itself = layer({ path: 'etc/passwd', type: '2', link: 'passwd' });
  const circle = await images.pull(publish('circle', itself), {}, signal);
  expect(() => resolveUser(circle.lowerDirs, 'daemon')).toThrow(UserError);

  const empty = await images.pull(publish('empty', layer({ path: 'x' })), {}, signal);
  const ids = ['', '77', '77:88'].map((user) => resolveUser(empty.lowerDirs, user));
  expect(ids.map(({ uid, gid }) => [uid, gid])).toEqual([
    [0, 0],
    [77, 0],
    [77, 88],
  ]);
  expect(() => resolveUser(empty.lowerDirs, 'svc')).toThrow('unable to find user svc');
});

it('keeps pinned snapshots from garbage collection, over a restart too', async () => {
  const reference = publish('web', layer({ path: 'a', content: 'pinned' }));
  let path: string;
  {
    await using images = await openImages();
    const { id, lowerDirs } = await images.pull(reference, {}, signal);
    path = join(lowerDirs[0]!, 'a');
    expect(await images.collectGarbage()).toBe(0);
    images.pin(id, 'container');
    await images.remove(reference);
    expect(await images.list()).toEqual([]);
    await images.collectGarbage();
    expect(await readFile(path, 'utf8')).toBe('pinned');
  }
  await using images = await openImages();
  await images.collectGarbage();
  expect(existsSync(path)).toBe(true);
  images.unpin('container');
  expect(await images.collectGarbage()).toBeGreaterThan(0);
  expect(existsSync(path)).toBe(false);
});
