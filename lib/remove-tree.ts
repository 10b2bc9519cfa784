import { randomUUID } from 'node:crypto';
import { lstatSync, readdirSync, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';

/**
 * Deletes a file or a folder with all that is in it; nothing when it is not there. Any process may have
 * made it: names need not be text, and folders may lie deeper than a path can say. Symlinks are
 * deleted, not followed. Other work gets its turn in between; whoever writes there makes it fail.
 */
export const removeTree = async (root: string): Promise<void> => {
  let count = 0;
  for (const _ of removal(Buffer.from(root))) {
    if (++count % REMOVALS_AT_ONCE === 0) await setImmediate();
  }
};

/** Yields after each removal. */
function* removal(root: Buffer): Generator<undefined> {
  try {
    if (!lstatSync(root).isDirectory()) {
      unlinkSync(root);
      return;
    }
    // Again, as long as it moves deep folders up here.
    for (let found = true; found;) found = yield* empty(root, root);
    rmdirSync(root);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** False when nothing was there. */
function* empty(folder: Buffer, root: Buffer): Generator<undefined, boolean> {
  const entries = readdirSync(folder, { encoding: 'buffer', withFileTypes: true });
  for (const entry of entries) {
    const path = Buffer.concat([folder, SLASH, entry.name]);
    if (!entry.isDirectory()) {
      unlinkSync(path);
    } else if (path.length > MAX_PATH_BYTES) {
      renameSync(path, Buffer.concat([root, SLASH, Buffer.from(randomUUID())]));
    } else {
      yield* empty(path, root);
      rmdirSync(path);
    }
    yield;
  }
  return entries.length > 0;
}

const SLASH = Buffer.from('/');
/** Some milliseconds' worth. */
const REMOVALS_AT_ONCE = 256;
/** With one more name it is still shorter than the kernel's 4096. */
const MAX_PATH_BYTES = 2048;
