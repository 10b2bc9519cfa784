import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { replaceFile } from '../../lib/files';
import { withFlags, type FlagChange } from './flag-file';
import type { FlagFile } from './preflight';

/** Sets flags in their file, and says which became another than somebody had written. Returns what changed. */
export const saveFlags = async (
  { path, text }: FlagFile,
  wanted: Readonly<Record<string, string>>,
  say: (text: string) => void,
): Promise<readonly FlagChange[]> => {
  const before = text === '' ? sampleOf(path) : text;
  const changed = withFlags(path, before, wanted);
  for (const { name, before: old, after } of changed.changes)
    say(`${path}: ${name} is ${after} now${old === undefined ? '' : `, and was ${old}`}`);
  if (changed.text !== text) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    await replaceFile(path, changed.text);
    await chmod(path, 0o644);
  }
  return changed.changes;
};

/** As the package brings it: with every flag as a remark. Beside the program, or nowhere. */
const sampleOf = (path: string): string => {
  const sample = join(__dirname, '../../share/doc/dhow', basename(path));
  return existsSync(sample) ? readFileSync(sample, 'utf8') : '';
};
