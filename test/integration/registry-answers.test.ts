import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock, type Clock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { systemRandom } from '../../lib/random';
import { ImageError } from '../../runtime/image-service';
import { createImageService, type RegistryEndpoint } from '../../runtime/images';
import { HttpRegistry, type Answer } from './support/http-registry';

const { signal } = new AbortController();

let dir: string;
/** The cluster's own. */
let registry: HttpRegistry;
let sleepsMs: number[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dhow-answers-'));
  registry = await HttpRegistry.open();
  sleepsMs = [];
});
afterEach(async () => {
  await registry[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

const clock: Clock = {
  now: () => systemClock.now(),
  monotonicMs: () => systemClock.monotonicMs(),
  after: (ms, call) => systemClock.after(ms, call),
  sleep: (ms, stop) => {
    sleepsMs.push(ms);
    return systemClock.sleep(ms, stop);
  },
};
/** Waits between tries; what else is waited for takes longer. */
const backOffs = () => sleepsMs.filter((ms) => ms < 1000);

/** What a pull of `web:2` fails with. */
const failure = async (...own: readonly RegistryEndpoint[]): Promise<ImageError> => {
  await using images = await createImageService({
    stateDir: dir,
    endpoints: () => [{ baseUrl: registry.origin, isMirror: true }, ...own],
    limits: { connectMs: 1500, answerMs: 1500, bodyMs: 1500 },
    log: silentLog,
    clock,
    random: systemRandom,
  });
  const error: unknown = await images.pull('web:2', {}, signal).catch((reason: unknown) => reason);
  if (error instanceof ImageError) return error;
  throw new Error('no failure to pull', { cause: error });
};

const tags = (value: unknown, headers = {}): void => {
  registry.override = (path) =>
    path.endsWith('/tags/list')
      ? (_request, response) => response.writeHead(200, headers).end(JSON.stringify(value))
      : undefined;
};
/** No machine lets a connection go to a group of hosts, whatever its routes: nothing is sent. */
const NOWHERE = 'http://224.0.0.1';
const NAME = 'docker.io/library/web:2';
const PREFIX = `failed to pull and unpack image "${NAME}": failed to resolve reference "${NAME}": `;
const ADVICE = '; no registry that may have it is reachable: bring it with "dhow image import"';

it.each([
  ['that has no name', 'http://reg.invalid', /getaddrinfo (?:EAI_AGAIN|ENOTFOUND) reg\.invalid$/],
  ['to which no way leads', NOWHERE, /connect ENETUNREACH 224\.0\.0\.1:80/],
])('names the tags there are, and asks a registry %s once', async (_what, baseUrl, own) => {
  tags({ tags: ['1', 'latest'] });
  const { message, code } = await failure({ baseUrl });
  expect(
    message.startsWith(
      `${PREFIX}${registry.origin}: not found, it has the tags 1, latest; ${baseUrl}: `,
    ),
  ).toBe(true);
  expect(message.endsWith(ADVICE)).toBe(true);
  expect(message.slice(0, -ADVICE.length)).toMatch(own);
  expect(code).toBe('RegistryUnavailable');
  expect(backOffs()).toEqual([]);
});

it('asks a registry that accepts no connection once', async () => {
  const silent = createServer((socket) => socket.resume());
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  try {
    const baseUrl = `https://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const { message } = await failure({ baseUrl });
    expect(message).toBe(
      `${PREFIX}${registry.origin}: not found; ${baseUrl}: no connection within 1.5 s${ADVICE}`,
    );
    expect(backOffs()).toEqual([]);
  } finally {
    await new Promise((resolve) => silent.close(resolve));
  }
});

it('says no more than that when no registry has the image', async () => {
  await using other = await HttpRegistry.open();
  const own = { baseUrl: other.origin };
  expect(await failure(own)).toMatchObject({
    code: 'ErrImagePull',
    message: `${PREFIX}${NAME}: not found`,
  });
  tags({ tags: ['1'] });
  expect((await failure(own)).message).toBe(
    `${PREFIX}${NAME}: not found; ${registry.origin} has the tags 1`,
  );
  expect(other.seen.filter(({ path }) => path.includes('tags'))).toEqual([]);
});

it('keeps what each registry answered', async () => {
  await using other = await HttpRegistry.open();
  const refuse: Answer = (_request, response) =>
    response.writeHead(403).end('{"errors":[{"code":"DENIED","message":"go\\u0007\\naway"}]}');
  other.override = () => refuse;
  registry.override = () => (_request, response) => response.writeHead(400).end('x'.repeat(99_999));
  expect(await failure({ baseUrl: other.origin })).toMatchObject({
    code: 'ErrImagePull',
    message:
      `${PREFIX}unexpected status from ${registry.origin}: 400 ; ${other.origin}: pull access denied, ` +
      'repository does not exist or may require authorization: docker.io/library/web: DENIED go away',
  });
});

const many = Array.from({ length: 500 }, (_none, i) => `v${i}`);

it.each([
  ['more than a few', { tags: many }, {}, /it has the tags v0, .*, v9 and more;/],
  ['another page', { tags: ['1'] }, { link: '</x>; rel="next"' }, /it has the tags 1 and more;/],
  ['no text', { tags: [7, null, 'a b', '\u001b[31m', '\n', 'ok'] }, {}, /it has the tags ok;/],
  ['no list', { tags: 'abc' }, {}, /not found;/],
  ['nothing', null, {}, /not found;/],
  [
    'more than anybody reads',
    { tags: many.map((tag) => tag.padEnd(128, 'x').repeat(9)) },
    {},
    /not found;/,
  ],
])('reads of tags that are %s what can be read', async (_what, value, headers, expected) => {
  tags(value, headers);
  expect((await failure({ baseUrl: NOWHERE })).message).toMatch(expected);
  expect(registry.seen.filter(({ path }) => path.includes('tags'))).toHaveLength(1);
});

it('does not wait for tags that do not come', async () => {
  registry.override = (path) => (path.endsWith('/tags/list') ? () => undefined : undefined);
  expect((await failure({ baseUrl: NOWHERE })).message).toContain('not found;');
});
