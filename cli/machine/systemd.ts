import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';

/** A service as systemd has it now. */
export interface UnitState {
  /** `not-found` where no such file is. */
  readonly load: string;
  readonly active: string;
  /** `enabled`: it starts with the machine. */
  readonly file: string;
  readonly mainPid: number;
  /** How often it was started again by itself. */
  readonly restarts: number;
  /** Names this run of it. */
  readonly invocation: string;
}

/** What is asked of systemd, as far as this needs it. */
export interface Services {
  state(unit: string): Promise<UnitState>;
  /** Starts it, or starts it anew, and has it start with the machine. Does not wait until it is ready. */
  start(unit: string): Promise<void>;
  /** Sends a signal to its main process. */
  signal(unit: string, name: 'SIGPWR'): Promise<void>;
  /** Ends it for good. Resolves once it has ended. */
  disable(unit: string): Promise<void>;
  /** The last lines of its log, oldest first. */
  lastLines(unit: string, count: number): Promise<readonly string[]>;
}

/** Whether systemd runs this machine, as sd_booted(3) tells. */
export const hasSystemd = (): boolean => existsSync('/run/systemd/system');

/** The systemd of this machine. */
export const systemd: Services = {
  state: async (unit) => {
    const { stdout } = await run('systemctl', ['show', ...PROPERTIES, '--', unit]);
    return unitStateOf(stdout);
  },
  start: async (unit) => {
    await run('systemctl', ['daemon-reload']);
    await run('systemctl', ['enable', '--quiet', '--', unit]);
    await run('systemctl', ['reset-failed', '--', unit]).catch(() => undefined);
    await run('systemctl', ['restart', '--no-block', '--', unit]);
  },
  signal: async (unit, name) => {
    await run('systemctl', ['kill', '--kill-who=main', `--signal=${name}`, '--', unit]);
  },
  disable: async (unit) => {
    await run('systemctl', ['disable', '--quiet', '--now', '--', unit], STOP_TIMEOUT_MS);
    await run('systemctl', ['reset-failed', '--', unit]).catch(() => undefined);
  },
  lastLines: async (unit, count) => {
    const args = ['-u', unit, '-n', String(count), '-o', 'cat', '--no-pager', '-q'];
    const { stdout } = await run('journalctl', args).catch(() => ({ stdout: '' }));
    return stdout.split('\n').filter((line) => line !== '');
  },
};

/** Pure: of what `systemctl show` says. */
export const unitStateOf = (text: string): UnitState => {
  const fields = new Map(
    text.split('\n').map((line): [string, string] => {
      const equals = line.indexOf('=');
      return [line.slice(0, equals), line.slice(equals + 1)];
    }),
  );
  const of = (name: string): string => fields.get(name) ?? '';
  return {
    ...{ load: of('LoadState'), active: of('ActiveState'), file: of('UnitFileState') },
    mainPid: Number(of('MainPID')) || 0,
    restarts: Number(of('NRestarts')) || 0,
    invocation: of('InvocationID'),
  };
};

const run = (program: string, args: readonly string[], timeout = TIMEOUT_MS) =>
  promisify(execFile)(program, args, { timeout, maxBuffer: 4 << 20, env: PLAIN_ENV });

const PROPERTIES = [
  '--property=LoadState,ActiveState,UnitFileState,MainPID,NRestarts,InvocationID',
];
/** Words that programs read. */
const PLAIN_ENV = { ...process.env, LC_ALL: 'C', SYSTEMD_COLORS: '0', SYSTEMD_PAGER: '' };
const TIMEOUT_MS = 30_000;
/** More than the units' own. */
const STOP_TIMEOUT_MS = 150_000;
