import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A folder for the worlds of one file of tests, which share its keys; it goes with them. In memory where
 * that can be: agents make every write durable, which takes no time there.
 */
export const folderOfWorlds = (): (() => string) => {
  let directory = '';
  beforeAll(() => {
    const base = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
    directory = mkdtempSync(join(base, 'dhow-simulation-'));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  return () => directory;
};
