import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { systemRandom } from '../../lib/random';
import type { ImageService } from '../../runtime/image-service';
import { createImageService, ownEndpoint, type RegistryEndpoint } from '../../runtime/images';
import { digestOf } from '../../runtime/images/content-store';
import { imageSuite } from '../../runtime/images/image-suite';
import { basicOf, HttpRegistry, type Answer } from './support/http-registry';

const { signal } = new AbortController();
const me = { username: 'me', password: 'secret' };
const BASIC = basicOf('me', 'secret');

let dir: string;
let registry: HttpRegistry;
/** Where the registry keeps its blobs: another origin. */
let elsewhere: HttpRegistry;
let images: ImageService;
/** Asked first. */
let mirrors: RegistryEndpoint[];

beforeEach(async () => {
  mirrors = [];
  dir = await mkdtemp(join(tmpdir(), 'dhow-credentials-'));
  registry = await HttpRegistry.open();
  elsewhere = await HttpRegistry.open();
  images = await createImageService({
    stateDir: dir,
    endpoints: (reference) => [...mirrors, ownEndpoint(reference)],
    log: silentLog,
    clock: systemClock,
    random: systemRandom,
  });
});
afterEach(async () => {
  await images[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
  await elsewhere[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

const redirect =
  (location: string): Answer =>
  (_request, response) =>
    response.writeHead(307, { location }).end();
const challenge =
  (scheme: string): Answer =>
  (_request, response) =>
    response.writeHead(401, { 'www-authenticate': scheme }).end();
const json =
  (value: unknown): Answer =>
  (_request, response) =>
    response.end(JSON.stringify(value));

/** The registry asks for credentials, in one of the two ways. */
const guard = (scheme: 'basic' | 'bearer', pathsElsewhere: RegExp): void => {
  const wanted = scheme === 'basic' ? BASIC : 'Bearer the-token';
  registry.override = (path, { headers }) => {
    if (path === '/token')
      return headers.authorization === BASIC ? json({ token: 'the-token' }) : challenge('Basic');
    if (headers.authorization !== wanted)
      return challenge(
        scheme === 'basic' ? 'Basic realm="r"' : `Bearer realm="${registry.origin}/token"`,
      );
    return pathsElsewhere.test(path) ? redirect(elsewhere.origin + path) : undefined;
  };
};

describe.each(['basic', 'bearer'] as const)('a registry that asks by %s', (scheme) => {
  it('leads to another host, which gets no credentials', async () => {
    guard(scheme, /blobs/);
    const { reference } = registry.publish('team/web');
    elsewhere.publish('team/web');
    const { credentials } = await images.pull(reference, { credentials: [me] }, signal);
    expect(credentials).toEqual(me);
    expect(elsewhere.seen).toHaveLength(2);
    expect(elsewhere.seen.map(({ authorization }) => authorization)).toEqual([
      undefined,
      undefined,
    ]);
  });

  it.each([
    ['manifests', 'Basic realm="give"'],
    ['blobs', 'Basic realm="give"'],
    ['manifests', 'Bearer realm="HERE/token",service="x"'],
    ['blobs', 'Bearer realm="HERE/token",service="x"'],
  ])('leads for %s to a host that asks for them by %s in vain', async (what, text) => {
    guard(scheme, new RegExp(what));
    elsewhere.override = () => challenge(text.replace('HERE', elsewhere.origin));
    const { reference } = registry.publish('team/web');
    await expect(images.pull(reference, { credentials: [me] }, signal)).rejects.toThrow(
      `${registry.origin} led to ${elsewhere.origin}, which answered 401`,
    );
    expect(elsewhere.seen.map(({ path }) => path)).not.toContain('/token');
    expect(elsewhere.seen.filter(({ authorization }) => authorization !== undefined)).toEqual([]);
  });
});

it('sends no credentials to where the giver of tokens leads', async () => {
  registry.override = (path) =>
    path === '/token'
      ? redirect(`${elsewhere.origin}/token`)
      : challenge(`Bearer realm="${registry.origin}/token"`);
  elsewhere.override = () => json({ token: 'x' });
  const { reference } = registry.publish('web');
  await expect(images.pull(reference, { credentials: [me] }, signal)).rejects.toThrow('denied');
  expect(elsewhere.seen.map(({ authorization }) => authorization)).toContain(undefined);
  expect(elsewhere.seen.filter(({ authorization }) => authorization !== undefined)).toEqual([]);
});

it.each([
  ['not JSON', (_request, response) => response.end('<html>'), 'no token in the answer'],
  ['null', json(null), 'no token in the answer'],
  ['a number', json({ token: 7 }), 'no token in the answer'],
  ['a token with line ends', json({ token: 'a\r\nx-evil: 1' }), 'no token in the answer'],
  ['a huge token', json({ token: 'x'.repeat(40_000) }), 'exceeds 32768 characters'],
  ['a huge answer', json({ token: 'x', more: 'x'.repeat(400_000) }), 'exceeds 262144 bytes'],
] satisfies [string, Answer, string][])('takes no token from %s', async (_what, answer, why) => {
  registry.override = (path) =>
    path === '/token' ? answer : challenge(`Bearer realm="${registry.origin}/token"`);
  const { reference } = registry.publish('web');
  await expect(images.pull(reference, {}, signal)).rejects.toThrow(why);
});

it('tries the next credentials when no token is given for the first', async () => {
  guard('bearer', /^never/);
  const { reference } = registry.publish('web');
  const offered = [{ username: 'me', password: 'wrong' }, me];
  const { credentials } = await images.pull(reference, { credentials: offered }, signal);
  expect(credentials).toEqual(me);
});

it('reads without credentials what anybody may read', async () => {
  const { reference } = registry.publish('web');
  const { credentials } = await images.pull(reference, { credentials: [me] }, signal);
  expect(credentials).toBeUndefined();
  expect(registry.seen.filter(({ authorization }) => authorization !== undefined)).toEqual([]);
});

describe('an image that is here', () => {
  const blobsAsked = () => registry.seen.filter(({ path }) => path.includes('/blobs/')).length;

  it.each(['basic', 'bearer'] as const)(
    'is had by %s without fetching it again',
    async (scheme) => {
      guard(scheme, /^never/);
      const { reference } = registry.publish('web');
      const { repoDigests } = await images.pull(reference, { credentials: [me] }, signal);
      const blobs = blobsAsked();
      const wrong = { username: 'me', password: 'wrong' };
      for (const name of [reference, repoDigests[0]!]) {
        await expect(images.authenticate(name, [], signal)).rejects.toMatchObject({
          code: 'ErrImagePull',
          message: expect.stringContaining('failed to'),
        });
        await expect(images.authenticate(name, [wrong], signal)).rejects.toThrow('failed to');
        expect(await images.authenticate(name, [wrong, me], signal)).toEqual(me);
        // Nor does its digest alone give it to whoever pulls.
        await expect(images.pull(name, {}, signal)).rejects.toThrow('failed to');
      }
      expect(blobsAsked()).toBe(blobs);
      registry.override = () => undefined;
      expect(await images.authenticate(reference, [me], signal)).toBeUndefined();
    },
  );

  it('is not given for a page that is everybody’s', async () => {
    guard('basic', /^never/);
    const { reference } = registry.publish('web');
    await images.pull(reference, { credentials: [me] }, signal);
    registry.override = () => (_request, response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end();
    await expect(images.authenticate(reference, [], signal)).rejects.toThrow(
      'did not answer as a registry does',
    );
  });

  it('is spoken for by another registry only where that has the same', async () => {
    guard('basic', /^never/);
    const { reference } = registry.publish('web', 'private');
    await images.pull(reference, { credentials: [me] }, signal);
    mirrors.push({ baseUrl: elsewhere.origin, isMirror: true });
    const withDigest = (text: string) => {
      elsewhere.publish('web', text);
      const digest = digestOf(elsewhere.contents.get('/v2/web/manifests/1')!);
      elsewhere.override = () => (_request, response) =>
        response.writeHead(200, { 'docker-content-digest': digest }).end();
    };
    withDigest('public');
    await expect(images.authenticate(reference, [], signal)).rejects.toThrow('denied');
    withDigest('private');
    expect(await images.authenticate(reference, [], signal)).toBeUndefined();
    expect(elsewhere.seen.filter(({ authorization }) => authorization !== undefined)).toEqual([]);
  });
});

describe('the image service', () => {
  imageSuite(() =>
    Promise.resolve({
      images,
      referenceOf: (name) => `${registry.host}/${name}:1`,
      publish: (name, readers) => {
        registry.publish(name);
        const known = readers?.map(({ username, password }) => basicOf(username, password));
        registry.override = (_path, { headers: { authorization = '' } }) =>
          known === undefined || known.includes(authorization) ? undefined : challenge('Basic');
      },
      // Closed with all others.
      close: () => Promise.resolve(),
    }),
  );
});
