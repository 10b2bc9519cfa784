import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(__dirname, '..', '..');

/** Is there a file of tests, by its path from the root, in which `title`, or a part of one, stands? */
export const isNamedTest = (file: string, title: string): boolean =>
  textOf(file)?.includes(title) === true;

const texts = new Map<string, string | undefined>();

const textOf = (file: string): string | undefined => {
  const path = join(ROOT, file);
  if (!texts.has(file)) texts.set(file, existsSync(path) ? readFileSync(path, 'utf8') : undefined);
  return texts.get(file);
};
