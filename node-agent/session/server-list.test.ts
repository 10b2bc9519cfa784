import { silentLog } from '../../lib/log';
import { seededRandom } from '../../lib/random';
import {
  orderEndpoints,
  ServerList,
  usableEndpoints,
  type EndpointMemory,
  type KnownEndpoints,
  type ServerEndpoint,
} from './server-list';

const at = (host: string): ServerEndpoint => ({ host, port: 6444 });
const hosts = (endpoints: readonly ServerEndpoint[]) => endpoints.map(({ host }) => host).join(' ');
const known = ({
  configured = 'join',
  learned = '',
  last,
  failed = '',
}: {
  configured?: string;
  learned?: string;
  last?: string;
  failed?: string;
}): KnownEndpoints => {
  const all = (text: string) => text.split(' ').filter(Boolean).map(at);
  return {
    configured: all(configured),
    learned: all(learned),
    last: last === undefined ? undefined : at(last),
    failed: all(failed),
  };
};
/** It leaves the order as it is. */
const orderly = { next: () => 0.5 };

it.each<[string, Parameters<typeof known>[0], string]>([
  ['who has just been told where to join goes there', {}, 'join'],
  ['configured ones are tried in their order', { configured: 'a b' }, 'a b'],
  ['learned ones go before the configured', { learned: 'a b' }, 'a b join'],
  ['the last good one is the first', { learned: 'a b', last: 'b' }, 'b a join'],
  ['also when it is a configured one', { learned: 'a b', last: 'join' }, 'join a b'],
  ['one that nobody knows any more is left', { learned: 'a b', last: 'gone' }, 'a b join'],
  ['what has failed comes last', { learned: 'a b', last: 'a', failed: 'a' }, 'b join a'],
  ['the longest ago first', { learned: 'a b', last: 'a', failed: 'b a' }, 'join b a'],
  ['none is left out when all have failed', { learned: 'a b', failed: 'join a b' }, 'join a b'],
  ['each is there once', { configured: 'a a', learned: 'a b b', last: 'b', failed: 'a a' }, 'b a'],
  ['a failure of one that is gone does not matter', { learned: 'a', failed: 'gone' }, 'a join'],
])('%s', (_title, given, expected) => {
  expect(hosts(orderEndpoints(known(given), orderly))).toBe(expected);
});

it('does not send all agents to the same server', () => {
  const first = new Set(
    Array.from({ length: 40 }, (_, seed) => {
      const given = known({ learned: 'a b c', last: 'a', failed: 'a' });
      return orderEndpoints(given, seededRandom(seed))[0]?.host;
    }),
  );
  expect([...first].sort()).toEqual(['b', 'c']);
});

it.each<[string, readonly ServerEndpoint[], string, string]>([
  [
    'takes several',
    [at('192.0.2.1'), at('fd00::1'), at('name.example')],
    '10.0.0.1',
    '192.0.2.1 fd00::1 name.example',
  ],
  ['keeps to what it has found where there is but one', [at('192.0.2.1')], '10.0.0.1', ''],
  [
    "takes no loopback of another machine's",
    [at('127.0.0.1'), at('localhost'), at('::1')],
    '10.0.0.1',
    '',
  ],
  [
    'takes loopback of its own',
    [at('127.0.0.1'), at('127.0.0.2')],
    '127.0.0.1',
    '127.0.0.1 127.0.0.2',
  ],
  [
    'takes what is an address or a name',
    [at('a b'), at(''), at('-x'), at('a'), at('b')],
    '10.0.0.1',
    'a b',
  ],
  [
    'takes ports that there are',
    [{ host: 'x', port: 0 }, { host: 'y', port: 70_000 }, at('a'), at('b')],
    'z',
    'a b',
  ],
])('of what a server tells it %s', (_title, told, current, expected) => {
  expect(hosts(usableEndpoints(told, at(current)))).toBe(expected);
});

it('takes no more than it can try', () => {
  const told = Array.from({ length: 5_000 }, (_, n) => at(`host-${n}`));
  expect(usableEndpoints(told, at('x'))).toHaveLength(64);
});

const listWith = (memory?: EndpointMemory) =>
  new ServerList({
    ...{ configured: [at('join')], random: orderly, log: silentLog },
    ...(memory === undefined ? {} : { memory }),
  });

it('stays with a server until it fails, goes on to each of the others, and begins again', () => {
  const list = listWith();
  expect(list.hasSeveral).toBe(false);
  list.succeeded();
  list.learn([at('join'), at('b'), at('c')]);
  expect([list.current.host, list.hasSeveral]).toEqual(['join', true]);
  const tried = Array.from({ length: 5 }, () => {
    list.failed();
    return `${list.current.host}${list.hasFresh ? '' : ' again'}`;
  });
  expect(tried).toEqual(['b', 'c', 'join again', 'b again', 'c again']);
  list.succeeded();
  list.failed();
  expect([list.current.host, list.hasFresh]).toEqual(['join', true]);
});

it('remembers, and goes on when it cannot', () => {
  let kept: Parameters<EndpointMemory['save']>[0] = { learned: [], last: undefined };
  const memory = { load: () => kept, save: (next: typeof kept) => (kept = next) };
  const before = listWith(memory);
  before.learn([at('a'), at('b')]);
  before.failed();
  before.succeeded();
  // The address by which it once joined is nobody's now.
  const after = listWith(memory);
  expect(after.current).toEqual(before.current);
  expect(after.current.host).not.toBe('join');
  const failing = {
    ...memory,
    save: () => {
      throw new Error('disk full');
    },
  };
  const other = listWith(failing);
  other.learn([at('c'), at('d')]);
  other.failed();
  expect(other.current.host).toBe('c');
});
