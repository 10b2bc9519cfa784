import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onAbort } from '../lib/async/on-abort';
import type { Version } from './commands/diff';
import type { CliContext } from './context';
import { UsageError } from './usage-error';

/**
 * Has a program of the user's compare two folders that nobody else can read and that are removed
 * afterwards. As kubectl has it, the words are taken apart at blanks: no shell sees them.
 * @throws UsageError when the program cannot be run, or fails
 */
export const showByProgram = async (
  { signal }: Pick<CliContext, 'signal'>,
  program: string,
  versions: readonly Version[],
): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), 'dhow-diff-'));
  try {
    for (const { file, before, after } of versions) {
      // A name may be of 253 characters, but no path: it has no slash.
      writeVersion(join(folder, 'LIVE'), file, before);
      writeVersion(join(folder, 'MERGED'), file, after);
    }
    const [command = '', ...args] = program.trim().split(/\s+/);
    const code = await run(
      command,
      [...args, join(folder, 'LIVE'), join(folder, 'MERGED')],
      signal,
    );
    if (code > 1) throw new UsageError(`${command} exited with code ${code}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const writeVersion = (folder: string, file: string, text: string): void => {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(join(folder, file.replaceAll('/', '_')), text, { mode: 0o600, flag: 'wx' });
};

const run = (command: string, args: readonly string[], signal: AbortSignal): Promise<number> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    onAbort(signal, () => child.kill('SIGTERM'));
    child.once('error', (error) =>
      reject(new UsageError(`failed to run ${command}: ${error.message}`, { cause: error })),
    );
    child.once('close', (code) => resolve(code ?? 2));
  });
