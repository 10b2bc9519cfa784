import { readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { readWithin } from '../../lib/files';
import { UsageError } from '../usage-error';

/** Where the entries of a config map or a secret come from. */
export interface DataSources {
  readonly fromLiteral?: readonly string[];
  readonly fromFile?: readonly string[];
  readonly fromEnvFile?: readonly string[];
}

/** All entries, by their keys. @throws UsageError for what is named twice, or cannot be read */
export const readEntries = (sources: DataSources): ReadonlyMap<string, Buffer> => {
  const entries = new Map<string, Buffer>();
  const add = (key: string, value: Buffer): void => {
    if (entries.has(key))
      throw new UsageError(`cannot add key "${key}", another key by that name already exists`);
    entries.set(key, value);
  };
  for (const literal of sources.fromLiteral ?? []) {
    const equals = literal.indexOf('=');
    if (equals < 1) throw new UsageError(`invalid literal source ${literal}, expected key=value`);
    const value = literal.slice(equals + 1).replace(/^(['"])(.*)\1$/s, '$2');
    add(literal.slice(0, equals), Buffer.from(value));
  }
  for (const source of sources.fromFile ?? []) addFile(source, add);
  for (const file of sources.fromEnvFile ?? []) addEnvFile(file, add);
  return entries;
};

type Add = (key: string, value: Buffer) => void;

/** `FILE`, `KEY=FILE`, or all files of a folder. */
const addFile = (source: string, add: Add): void => {
  const equals = source.indexOf('=');
  const path = source.slice(equals + 1);
  const isFolder = reading(path, () => statSync(path).isDirectory());
  if (!isFolder) {
    add(
      equals < 0 ? basename(path) : source.slice(0, equals),
      reading(path, () => readWithin(path, ENTRY_BYTES_MAX)),
    );
    return;
  }
  if (equals >= 0) throw new UsageError('cannot give a key name for a directory path');
  for (const name of readdirSync(path).sort()) {
    const file = join(path, name);
    if (statSync(file).isFile()) add(name, readWithin(file, ENTRY_BYTES_MAX));
  }
};

/** Lines `KEY=VALUE`; a bare `KEY` takes its value from our environment. */
const addEnvFile = (file: string, add: Add): void => {
  const text = reading(file, () => readWithin(file, ENTRY_BYTES_MAX).toString()).replace(
    /^\ufeff/,
    '',
  );
  for (const given of text.split(/\r?\n/)) {
    const line = given.trimStart();
    if (line === '' || line.startsWith('#')) continue;
    const equals = line.indexOf('=');
    const key = equals < 0 ? line.trim() : line.slice(0, equals);
    if (!/^[-._a-zA-Z][-._a-zA-Z0-9]*$/.test(key))
      throw new UsageError(`"${key}" is not a valid key name in ${file}`);
    const value = equals < 0 ? process.env[key] : line.slice(equals + 1);
    if (value !== undefined) add(key, Buffer.from(value));
  }
};

const reading = <T>(path: string, read: () => T): T => {
  try {
    return read();
  } catch (error) {
    throw new UsageError(`error reading ${path}: ${(error as Error).message}`, { cause: error });
  }
};

/** More than the server takes in one object: it says so better than we could. */
const ENTRY_BYTES_MAX = 4 * 1024 * 1024;
