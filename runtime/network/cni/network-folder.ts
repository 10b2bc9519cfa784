import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { readWithin } from '../../../lib/files';
import { describeError } from '../../../lib/log';
import { networkFilesIn, parseNetwork, type CniNetwork } from './network-config';

/**
 * The network of the first file by name, read anew each time: who installs one puts it there when it is
 * ready. One that is not valid is not passed over for the next. @throws Error naming folder or file
 */
export const readNetwork = (folder: string): CniNetwork => {
  const [name] = networkFilesIn(filesIn(folder));
  if (name === undefined)
    throw new Error(`no network config found in ${folder}: cni plugin not initialized`);
  const file = join(folder, name);
  try {
    return parseNetwork(readWithin(file, MAX_BYTES), name.endsWith('.conflist'));
  } catch (error) {
    throw new Error(`cannot load ${file}: ${describeError(error)}`, { cause: error });
  }
};

const filesIn = (folder: string): readonly string[] => {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
};

const MAX_BYTES = 1 << 20;
