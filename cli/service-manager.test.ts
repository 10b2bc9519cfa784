import { ManualClock } from '../lib/clock';
import { unixAddress } from '../runtime/notify-socket';
import { serviceManager, Teller, wishesOf } from './service-manager';

const NEVER = new AbortController().signal;

describe('what a service manager asks for', () => {
  it('is nothing where it did not start this program', async () => {
    expect(wishesOf({}, 7)).toBeUndefined();
    expect(wishesOf({ NOTIFY_SOCKET: 'relative', WATCHDOG_USEC: '1000' }, 7)).toBeUndefined();
    expect(await serviceManager(new ManualClock(), NEVER, {})).toBeUndefined();
  });

  it('is a sign of life as often as it says, if it says so to this very process', () => {
    const env = { NOTIFY_SOCKET: '/run/notify', WATCHDOG_USEC: '60000000' };
    expect(wishesOf(env, 7)).toEqual({ socket: '/run/notify', watchdogMs: 60_000 });
    expect(wishesOf({ ...env, WATCHDOG_PID: '7' }, 7)).toHaveProperty('watchdogMs', 60_000);
    expect(wishesOf({ ...env, WATCHDOG_PID: '8' }, 7)).toEqual({ socket: '/run/notify' });
    for (const WATCHDOG_USEC of ['0', '-1', 'x', '', '1e9'])
      expect(wishesOf({ ...env, WATCHDOG_USEC }, 7)).toEqual({ socket: '/run/notify' });
  });

  it('is not handed on to children', async () => {
    const env = { NOTIFY_SOCKET: 'none', WATCHDOG_USEC: '9', WATCHDOG_PID: '1', HOME: '/root' };
    await serviceManager(new ManualClock(), NEVER, env);
    expect(env).toEqual({ HOME: '/root' });
  });

  it('is told again, in order, until it is taken', async () => {
    const clock = new ManualClock();
    const heard: string[] = [];
    let isBusy = true;
    const teller = new Teller((state) => !isBusy && heard.push(state) > 0, clock);
    teller.tell('READY=1');
    teller.tell('STOPPING=1');
    await clock.advance(1000);
    expect(heard).toEqual([]);
    isBusy = false;
    await clock.advance(1000);
    expect(heard).toEqual(['READY=1', 'STOPPING=1']);
  });

  it('is given up where nobody ever takes it', async () => {
    const clock = new ManualClock();
    let asked = 0;
    const teller = new Teller(() => ++asked < 0, clock);
    teller.tell('READY=1');
    await clock.advance(3_600_000);
    expect(asked).toBeLessThan(1000);
  });

  it('hears of life at even times, whatever became of the last word', async () => {
    const clock = new ManualClock();
    const heardMs: number[] = [];
    new Teller(() => heardMs.push(clock.monotonicMs()) < 0, clock).keepAlive(20_000);
    await clock.advance(65_000);
    expect(heardMs).toEqual([0, 20_000, 40_000, 60_000]);
  });
});

describe('the address of a unix socket', () => {
  it('ends a path with zero, and begins an abstract name with it', () => {
    expect(unixAddress('/run/n')).toEqual(Buffer.from('\x01\0/run/n\0'));
    expect(unixAddress('@n')).toEqual(Buffer.from('\x01\0\0n'));
    expect(() => unixAddress(`/${'x'.repeat(107)}`)).toThrow('too long');
  });
});
