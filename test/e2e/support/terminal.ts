import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readlinkSync } from 'node:fs';

/** A command that goes on at a terminal of its own. */
export interface AtTerminal {
  readonly input: (text: string) => void;
  /** All that was shown until now. */
  readonly said: () => string;
  /** False while it has not begun. */
  readonly resize: (rows: number, columns: number) => boolean;
  /** Ends it. */
  readonly ended: () => Promise<void>;
}

/** @param line for a shell */
export const atTerminal = (line: string, env: NodeJS.ProcessEnv): AtTerminal => {
  const child = spawn('script', ['--quiet', '--return', '--command', line, '/dev/null'], {
    env,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const closed = once(child, 'close');
  let shown = '';
  child.stdout.on('data', (data) => (shown += String(data)));
  child.stdin.on('error', () => undefined);
  const pid = child.pid ?? 0;
  const terminalOf = (): string => {
    const [first = ''] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
    const terminal = readlinkSync(`/proc/${first}/fd/0`);
    if (!terminal.startsWith('/dev/pts/')) throw new Error(`${terminal} is no terminal`);
    return terminal;
  };
  return {
    input: (text) => child.stdin.write(text),
    said: () => shown,
    resize: (rows, columns) => {
      try {
        const size = ['rows', String(rows), 'columns', String(columns)];
        execFileSync('stty', ['-F', terminalOf(), ...size]);
        return true;
      } catch {
        return false;
      }
    },
    ended: async () => {
      child.kill('SIGKILL');
      await closed;
    },
  };
};
