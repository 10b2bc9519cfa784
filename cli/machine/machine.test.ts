import { personOf } from './home';
import { serverAt } from './join';
import { checkServer } from './server-probe';
import { untilStarted, wordsOfLine } from './starting';
import { unitStateOf, type Services, type UnitState } from './systemd';

const NEVER = new AbortController().signal;

describe('a service that is started', () => {
  const BEFORE: UnitState = unitStateOf('LoadState=loaded\nActiveState=inactive\nInvocationID=\n');
  const services = (states: readonly Partial<UnitState>[]): Services => {
    let next = 0;
    const none = () => Promise.resolve();
    return {
      state: async () => ({ ...BEFORE, ...states[Math.min(next++, states.length - 1)] }),
      ...{ start: none, signal: none, disable: none },
      lastLines: async () => ['{"level":50,"msg":"cannot listen","err":"EADDRINUSE"}'],
    };
  };
  const start = (states: readonly Partial<UnitState>[], isDone = true, timeoutMs = 60_000) =>
    untilStarted(
      {
        ...{ services: services(states), unit: 'x.service', before: BEFORE, timeoutMs },
        ...{ say: () => undefined, isDone: async () => isDone },
      },
      NEVER,
    );

  it('is waited for until it is active and does its work', async () => {
    await start([{ active: 'activating' }, { active: 'active', invocation: 'b' }]);
  });

  it.each<[string, Partial<UnitState>]>([
    ['fails', { active: 'failed' }],
    ['ends again and again', { active: 'activating', restarts: 3 }],
  ])('is given up when it %s, with the end of its log', async (_, state) => {
    await expect(start([state])).rejects.toThrow(
      'x.service does not start; its log ends with:\n  cannot listen: EADDRINUSE',
    );
  });

  it('is left to go on when time is over', async () => {
    await expect(start([{ active: 'active', invocation: 'b' }], false, -1)).rejects.toThrow(
      'goes on trying',
    );
  });
});

it('reads what systemctl shows', () => {
  expect(
    unitStateOf(
      'MainPID=12\nNRestarts=1\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\nInvocationID=ab\n',
    ),
  ).toEqual({
    ...{ load: 'loaded', active: 'active', file: 'enabled' },
    ...{ mainPid: 12, restarts: 1, invocation: 'ab' },
  });
});

it('cuts lines of a log short', () => {
  expect(wordsOfLine('x'.repeat(1000))).toHaveLength(401);
});

it.each([
  ['10.0.0.1', '10.0.0.1:6443'],
  ['10.0.0.1:7443', '10.0.0.1:7443'],
  ['https://cp.example:6443/', 'cp.example:6443'],
  ['[fd00::1]', '[fd00::1]:6443'],
  ['[fd00::1]:7443', '[fd00::1]:7443'],
])('takes %s as the address of a server', (given, expected) => {
  expect(serverAt(given).text).toBe(expected);
});

it.each(['', 'a b', '10.0.0.1:0', '10.0.0.1:99999', '$(reboot)'])('refuses %j', (given) => {
  expect(() => serverAt(given)).toThrow('HOST or HOST:PORT');
});

it.each([
  [0, 'ok', 'as that of'],
  [30_000, 'warning', '30 s behind'],
  [-30_000, 'warning', '30 s ahead of'],
  [301_000, 'error', 'would not be taken'],
])('judges a clock that is %i ms off', (aheadMs, severity, part) => {
  const finding = checkServer({ state: 'found', aheadMs }, 'a', 1).find(
    ({ check }) => check === 'clock',
  );
  expect(finding?.severity).toBe(severity);
  expect(finding?.message).toContain(part);
});

it('knows for whom sudo asks', () => {
  const passwd = 'root:x:0:0::/root:/bin/sh\nann:x:1000:1001::/home/ann:/bin/sh\n';
  expect(personOf({ SUDO_UID: '1000' }, passwd)).toEqual({
    ...{ name: 'ann', home: '/home/ann', uid: 1000, gid: 1001 },
  });
  for (const uid of [undefined, '0', '7', '../x'])
    expect(personOf(uid === undefined ? {} : { SUDO_UID: uid }, passwd)).toBeUndefined();
});
