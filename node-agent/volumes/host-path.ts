import { mkdirSync, statSync, type Stats, writeFileSync } from 'node:fs';

import { hasErrorCode } from '../files';

/** What lies there already must be of that type; some types are made. Returns the path. @throws Error */
export const prepareHostPath = (path: string, type: string): string => {
  const stats = statOf(path);
  if (stats === undefined) {
    if (type === '' || type === 'DirectoryOrCreate')
      mkdirSync(path, { recursive: true, mode: 0o755 });
    else if (type === 'FileOrCreate') writeFileSync(path, '', { mode: 0o644 });
    else throw new Error(`hostPath type check failed: ${path} is not ${describe(type)}`);
    return path;
  }
  const isRight =
    {
      '': true,
      DirectoryOrCreate: stats.isDirectory(),
      Directory: stats.isDirectory(),
      FileOrCreate: stats.isFile(),
      File: stats.isFile(),
      Socket: stats.isSocket(),
      CharDevice: stats.isCharacterDevice(),
      BlockDevice: stats.isBlockDevice(),
    }[type] ?? false;
  if (!isRight) throw new Error(`hostPath type check failed: ${path} is not ${describe(type)}`);
  return path;
};

const describe = (type: string): string =>
  ({
    Directory: 'a directory',
    DirectoryOrCreate: 'a directory',
    File: 'a file',
    FileOrCreate: 'a file',
    Socket: 'a socket file',
    CharDevice: 'a character device',
    BlockDevice: 'a block device',
  })[type] ?? `of type ${type}`;

/** Undefined where nothing is. */
export const statOf = (path: string): Stats | undefined => {
  try {
    return statSync(path);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
};
