import type { Pod, Secret } from '../../api/types';
import { stringifyJson } from '../../lib/json';
import { pullSecretsOf } from './pull-credentials';

const podWith = (...names: readonly string[]): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'ns' },
  spec: { containers: [], imagePullSecrets: names.map((name) => ({ name })) },
  status: {},
});

const base64 = (text: string): string => Buffer.from(text).toString('base64');

const secretOf = (name: string, type: string, data: Record<string, string>): Secret => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'ns', uid: `uid-${name}` },
  type,
  data,
});

const configJson = (name: string, auths: unknown): Secret =>
  secretOf(name, 'kubernetes.io/dockerconfigjson', {
    '.dockerconfigjson': base64(stringifyJson({ auths })),
  });

const entry = (username: string) => ({ username, password: 'secret' });

/** The users whose credentials are tried, in order. */
const usersFor = (image: string, ...secrets: readonly Secret[]): readonly string[] => {
  const objects = {
    secret: (_namespace: string, wanted: string) =>
      secrets.find(({ metadata: { name } }) => name === wanted),
    configMap: () => undefined,
  };
  const pod = podWith(...secrets.map(({ metadata: { name } }) => name));
  return pullSecretsOf(pod, image, objects).fitting.map(({ credentials }) => credentials.username);
};

it.each([
  ['reg.example/web:1', 'reg.example', true],
  ['reg.example/web:1', 'https://reg.example', true],
  ['reg.example/web:1', 'http://reg.example/v2/', true],
  ['reg.example/web:1', 'reg.example:443', false],
  ['reg.example:5000/web', 'reg.example:5000', true],
  ['reg.example:5000/web', 'reg.example', false],
  ['reg.example:5000/web', '*.example:5000', true],
  ['a.reg.example/web', '*.example', false],
  ['a.reg.example/web', '*.reg.example', true],
  ['a.reg.example/web', '*.*.example', true],
  ['a.reg.example/web', 'a.r?g.e[a-x]ample', true],
  ['a.reg.example/web', 'a.r[^e]g.example', false],
  ['a.reg.example/web', 'a.[reg.example', false],
  ['reg.example/team/web:1', 'reg.example/team', true],
  ['reg.example/team/web@sha256:' + 'a'.repeat(64), 'https://reg.example/v1/team', true],
  ['reg.example/other/web', 'reg.example/team', false],
  ['evilreg.example/web', 'reg.example', false],
  ['web', 'docker.io', true],
  ['web', 'https://index.docker.io/v1/', true],
  ['team/web', 'index.docker.io/team', true],
  ['web', 'quay.io', false],
  [`${'a'.repeat(60)}.example/web`, `${'*a'.repeat(30)}*b.example`, false],
])('of %s, those for %s: %s', (image, server, isFitting) => {
  const users = usersFor(image, configJson('s', { [server]: entry('me') }));
  expect(users).toEqual(isFitting ? ['me'] : []);
});

it('are all that fit, the most specific first, of several in the order of the secrets', () => {
  const first = configJson('first', {
    'reg.example': entry('host'),
    '*.example': entry('any'),
    'reg.example/team': entry('team'),
    'other.example': entry('other'),
  });
  const second = configJson('second', { 'reg.example': entry('second'), 'x.y': entry('x') });
  const again = configJson('again', { 'reg.example/team': entry('any') });
  expect(usersFor('reg.example/team/web', first, second, again)).toEqual([
    'team',
    'any',
    'host',
    'second',
  ]);
});

it('are no more than a few, however many fit', () => {
  const many = Array.from({ length: 100 }, (_none, i) =>
    configJson(`s${i}`, { 'reg.example': entry(`user-${i}`) }),
  );
  expect(usersFor('reg.example/web', ...many)).toHaveLength(16);
});

it('are found beside entries that cannot be read', () => {
  const auths = {
    'reg.example/a': { auth: 'not base64!' },
    'reg.example/b': { auth: base64('no colon') },
    'reg.example/c': { username: 7, password: {} },
    'reg.example/d': 'text',
    'reg.example/e': null,
    'reg.example/f': {},
    '[': entry('malformed'),
    'reg.example': { auth: ` ${base64('me:with:colons')}\n`, username: 'other', password: 'x' },
    'reg.example/w': { auth: '', username: 'plain', password: 'x', email: 5 },
  };
  expect(usersFor('reg.example/w', configJson('s', auths))).toEqual(['plain', 'me']);
});

it('are read from secrets of the docker types only', () => {
  const auths = { 'reg.example': entry('me') };
  const old = { '.dockercfg': base64(stringifyJson(auths)) };
  const odd = { '.dockerconfigjson': base64('{') };
  expect(usersFor('reg.example/w', secretOf('s', 'kubernetes.io/dockercfg', old))).toEqual(['me']);
  for (const type of ['Opaque', 'kubernetes.io/dockerconfigjson'])
    expect(usersFor('reg.example/w', secretOf('s', type, old))).toEqual([]);
  expect(usersFor('x.y/w', secretOf('s', 'kubernetes.io/dockerconfigjson', odd))).toEqual([]);
  for (const value of [[], null, 3, { auths: [] }, { auths: null }])
    expect(usersFor('x.y/w', configJson('s', value))).toEqual([]);
});

it('come with their secret, and with the names of secrets that are missing', () => {
  const secret = configJson('there', { 'reg.example': entry('me') });
  const objects = {
    secret: (_namespace: string, name: string) => (name === 'there' ? secret : undefined),
    configMap: () => undefined,
  };
  expect(pullSecretsOf(podWith('a', 'there', 'b'), 'reg.example/w', objects)).toEqual({
    fitting: [
      {
        credentials: { username: 'me', password: 'secret' },
        secret: { namespace: 'ns', name: 'there', uid: 'uid-there' },
      },
    ],
    missing: ['a', 'b'],
  });
});
