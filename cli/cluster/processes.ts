import { spawn } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../lib/clock';
import {
  isRunning,
  killProcess,
  startTimeOf,
  stopProcess,
  type ProcessIdentity,
} from '../../lib/process-identity';
import { parseJson, stringifyJson } from '../../lib/json';
import { UsageError } from '../usage-error';

/** The long-lived processes of one local cluster, by name, with their pids kept in a folder. */
export class Processes {
  constructor(private readonly pidDir: string) {}

  /**
   * Starts a process of its own session, its output appended to `logFile`. The program proper begins
   * once its pid is written down: were we killed before, it would run with nobody to know of it.
   */
  async start(name: string, command: readonly string[], logFile: string): Promise<void> {
    mkdirSync(this.pidDir, { recursive: true, mode: 0o700 });
    const log = openSync(logFile, 'a', 0o600);
    const child = spawn('sh', ['-c', WAIT_THEN_RUN, 'sh', ...command], {
      detached: true,
      stdio: ['pipe', log, log],
    });
    closeSync(log);
    const pid = await new Promise<number>((resolve, reject) => {
      child.once('spawn', () => resolve(child.pid ?? 0));
      child.once('error', reject);
    });
    child.unref();
    const startTime = (await startTimeOf(pid)) ?? '';
    const kept: Kept = { pid, startTime, command, logFile };
    writeFileSync(this.file(name), stringifyJson(kept), { mode: 0o600 });
    // Gone already: its log says why, and whoever waits for it looks there.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end('go\n');
  }

  /** Starts what has ended again as it was started; false when it runs. @throws UsageError if it never was */
  async startAgain(name: string): Promise<boolean> {
    if ((await this.pidOf(name)) !== undefined) return false;
    const { command, logFile } = this.read(name) ?? {};
    if (command === undefined || logFile === undefined)
      throw new UsageError(`it is not known how ${name} was started: dhow up starts it`);
    await this.start(name, command, logFile);
    return true;
  }

  names(): readonly string[] {
    try {
      return readdirSync(this.pidDir)
        .filter((file) => file.endsWith('.json'))
        .map((file) => file.slice(0, -'.json'.length));
    } catch {
      // Nothing was ever started here.
      return [];
    }
  }

  /** Undefined when it does not run. */
  async pidOf(name: string): Promise<number | undefined> {
    const identity = this.read(name);
    return identity !== undefined && (await isRunning(identity)) ? identity.pid : undefined;
  }

  async stop(name: string, graceMs: number): Promise<void> {
    const identity = this.read(name);
    if (identity !== undefined) await stopProcess(identity, systemClock, graceMs);
  }

  /** At once and without a word. Resolves when it is gone. */
  async kill(name: string): Promise<void> {
    const identity = this.read(name);
    if (identity !== undefined) await killProcess(identity, systemClock);
  }

  /** What has ended is not to be started again. */
  forget(name: string): void {
    rmSync(this.file(name), { force: true });
  }

  private read(name: string): Kept | undefined {
    try {
      return parseJson(readFileSync(this.file(name), 'utf8')) as Kept;
    } catch {
      // Never started, or the file was cut short by a crash: no process to speak of.
      return undefined;
    }
  }

  private file(name: string): string {
    return join(this.pidDir, `${name}.json`);
  }
}

interface Kept extends ProcessIdentity {
  /** Not said by those of an older release. */
  readonly command?: readonly string[];
  readonly logFile?: string;
}

/** Our end closes the pipe: then `read` fails, and nothing is run. */
const WAIT_THEN_RUN = 'read -r _ && exec "$@" </dev/null';
