import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';

/*
 * Files that a container can shape: volumes, what the node lends it, its log. The container may have
 * made a FIFO, a device or a link of one, or have it grow without end. Nothing else in the agent opens
 * such files; lint keeps it so.
 */

/** No link is followed, and a FIFO keeps nobody waiting. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** It is no regular file. */
class NotRegularFileError extends Error {
  constructor(path: string) {
    super(`${path} is not a regular file`);
  }
}

/** A regular file to be read in pieces; the caller closes it. @throws also when it is none */
export const openShapedFile = async (path: string): Promise<FileHandle> => {
  const handle = await open(path, FLAGS);
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw new NotRegularFileError(path);
};

/** All of a regular file of the node's operator, who may link to it. @throws also when it is none, or larger */
export const readSmallFile = async (path: string, maxBytes: number): Promise<Buffer> => {
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const info = await handle.stat();
    if (!info.isFile()) throw new NotRegularFileError(path);
    const buffer = Buffer.alloc(maxBytes + 1);
    const { bytesRead } = await handle.read(buffer, 0, maxBytes + 1, 0);
    if (bytesRead > maxBytes) throw new Error(`${path} holds more than ${maxBytes} bytes`);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
};

/** The same, at once. */
export const readSmallFileSync = (path: string, maxBytes: number): Buffer => {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const info = fstatSync(file);
    if (!info.isFile()) throw new NotRegularFileError(path);
    if (info.size > maxBytes) throw new Error(`${path} holds more than ${maxBytes} bytes`);
    // It may have been cut short meanwhile.
    const buffer = Buffer.alloc(info.size);
    return buffer.subarray(0, readSync(file, buffer, 0, info.size, 0));
  } finally {
    closeSync(file);
  }
};

/** The end of a regular file, at most `maxBytes`; undefined when it cannot be read. */
export const readEndOfShapedFile = (path: string, maxBytes: number): Buffer | undefined => {
  let file: number | undefined;
  try {
    file = openSync(path, FLAGS);
    const info = fstatSync(file);
    if (!info.isFile()) return undefined;
    const buffer = Buffer.alloc(Math.min(info.size, maxBytes));
    // It may have been cut short meanwhile.
    const length = readSync(file, buffer, 0, buffer.length, info.size - buffer.length);
    return buffer.subarray(0, length);
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
};
