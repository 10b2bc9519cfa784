import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ApiObject } from '../api/types';
import { readManifests as readText, YamlError, type ManifestOptions } from '../api/yaml';
import { FileTooLargeError, readWithin } from '../lib/files';
import { UsageError } from './usage-error';

/** One object to apply or delete, and where it was written. */
export interface SourcedManifest {
  readonly object: ApiObject;
  /** The file, or `STDIN`. */
  readonly source: string;
  /** The line of a field such as `spec.containers[0].image`; of the object itself without a path. */
  readonly lineOf: (path?: string) => number;
}

export interface ReadOptions {
  /** Also the folders in the folders. */
  readonly isRecursive?: boolean;
  readonly duplicateKeys?: ManifestOptions['duplicateKeys'];
  readonly onWarning?: (text: string) => void;
}

/** Reads the objects of files, folders and `-` (stdin), in order. @throws UsageError */
export const readManifests = async (
  paths: readonly string[],
  options: ReadOptions = {},
): Promise<SourcedManifest[]> => {
  const manifests: SourcedManifest[] = [];
  for (const path of paths) {
    for (const file of filesOf(path, options.isRecursive === true)) {
      const bytes = file === '-' ? await readStdin() : readInput(file);
      manifests.push(...parse(bytes, file === '-' ? 'STDIN' : file, options));
    }
  }
  if (manifests.length === 0) throw new UsageError('no objects passed: the input is empty');
  return manifests;
};

const parse = (bytes: Buffer, source: string, options: ReadOptions): SourcedManifest[] => {
  const { duplicateKeys = 'error', onWarning = () => undefined } = options;
  try {
    const { manifests, warnings } = readText(bytes, { duplicateKeys });
    for (const warning of warnings) onWarning(`${source}: ${warning}`);
    return manifests.map(({ value, line, positionOf }) => ({
      object: toObject(value, `${source}:${line}`),
      source,
      lineOf: (path) => (path === undefined ? line : positionOf(path).line),
    }));
  } catch (error) {
    if (error instanceof YamlError)
      throw new UsageError(`error parsing ${source}: ${error.message}`);
    throw error;
  }
};

/** Checks what it takes to find the object's kind; the server checks all else. */
const toObject = (value: Readonly<Record<string, unknown>>, where: string): ApiObject => {
  const { apiVersion, kind, metadata } = value;
  if (!isText(apiVersion)) throw new UsageError(`${where}: apiVersion not set`);
  if (!isText(kind)) throw new UsageError(`${where}: kind not set`);
  const fields = metadata ?? {};
  if (typeof fields !== 'object' || Array.isArray(fields)) {
    throw new UsageError(`${where}: metadata is not a mapping`);
  }
  const { name, generateName, namespace } = fields as Readonly<Record<string, unknown>>;
  if (!isText(name) && !isText(generateName)) {
    throw new UsageError(`${where}: metadata.name: Required value: name is required`);
  }
  if (name !== undefined && typeof name !== 'string') {
    throw new UsageError(`${where}: metadata.name: expected string, got ${typeof name}`);
  }
  if (namespace !== undefined && typeof namespace !== 'string') {
    throw new UsageError(`${where}: metadata.namespace: expected string, got ${typeof namespace}`);
  }
  return { ...value, apiVersion, kind, metadata: fields as ApiObject['metadata'] };
};

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

const filesOf = (path: string, isRecursive: boolean): readonly string[] => {
  if (path === '-') return [path];
  if (/^https?:\/\//.test(path)) {
    throw new UsageError(`addresses are not read: curl -fsSL ${path} | dhow apply -f -`);
  }
  if (!existsSync(path)) throw new UsageError(`the path "${path}" does not exist`);
  if (!statSync(path).isDirectory()) return [path];
  const files = readdirSync(path, { encoding: 'utf8', recursive: isRecursive })
    .filter((name) => /\.(ya?ml|json)$/.test(name))
    .map((name) => join(path, name))
    .filter((file) => !statSync(file).isDirectory())
    .sort();
  if (files.length > 0) return files;
  throw new UsageError(`the folder "${path}" has no .yaml, .yml or .json file`);
};

const readInput = (file: string): Buffer => {
  try {
    return readWithin(file, MAX_INPUT_BYTES);
  } catch (error) {
    if (error instanceof FileTooLargeError)
      throw new UsageError(`the file "${file}" is larger than 64 MiB`);
    throw error;
  }
};

const readStdin = async (): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > MAX_INPUT_BYTES) throw new UsageError('the input is larger than 64 MiB');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
};

const MAX_INPUT_BYTES = 64 * 1024 * 1024;
