import { lstatSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

import type { UserSpec } from '../../runtime/container-runtime';
import { ContainerConfigError } from './environment';

const MAX_LINKS = 40;
const MAX_FILE_BYTES = 4 * 1024 * 1024;

/** Reads a file of an image, or undefined. */
export type ImageFileReader = (path: string) => string | undefined;

/**
 * Who a process runs as. `runAsUser`/`runAsGroup` win over the image's `USER` (`svc`, `77`, `77:88`,
 * `svc:staff`); groups of a named user come from the image's /etc/group.
 * @throws ContainerConfigError for a name that the image does not know.
 */
export const resolveUser = (
  imageUser: string,
  override: { readonly uid: number | undefined; readonly gid: number | undefined },
  extraGroups: readonly number[],
  read: ImageFileReader,
): UserSpec => {
  const [userPart = '', groupPart] = imageUser.split(':', 2);
  const passwd = parseTable(read('/etc/passwd'));
  const group = parseTable(read('/etc/group'));
  const wanted = override.uid === undefined ? userPart : String(override.uid);
  const entry = findUser(passwd, wanted);
  const uid =
    wanted === '' ? 0 : (numeric(wanted) ?? Number(entry?.[2] ?? unknown('user', wanted)));
  const useImageGroup = override.uid === undefined && groupPart !== undefined && groupPart !== '';
  const gid =
    override.gid ?? (useImageGroup ? groupIdOf(group, groupPart) : Number(entry?.[3] ?? 0));
  const name = entry?.[0];
  const memberships = group
    .filter((line) => name !== undefined && (line[3] ?? '').split(',').includes(name))
    .map((line) => Number(line[2]));
  const supplementalGids = [...new Set([...memberships, ...extraGroups])];
  return { uid, gid, supplementalGids };
};

const findUser = (passwd: readonly (readonly string[])[], user: string) =>
  passwd.find((line) => line[0] === user || (numeric(user) !== undefined && line[2] === user)) ??
  (user === '' ? passwd.find((line) => line[2] === '0') : undefined);

const groupIdOf = (group: readonly (readonly string[])[], name: string): number =>
  numeric(name) ?? Number(group.find((line) => line[0] === name)?.[2] ?? unknown('group', name));

const unknown = (what: string, name: string): never => {
  throw new ContainerConfigError(`unable to find ${what} ${name}: no matching entry in the image`);
};

/** Plain decimal within range only: `0x3e8`, `1e3` and the like are names, and unknown ones. */
const numeric = (text: string): number | undefined =>
  /^\d{1,10}$/.test(text) && Number(text) <= 2 ** 31 - 1 ? Number(text) : undefined;

const parseTable = (text: string | undefined): readonly (readonly string[])[] =>
  (text ?? '')
    .split('\n')
    .map((line) => line.split(':'))
    .filter((line) => line.length >= 3);

/**
 * Reads files of an image from its layer folders (topmost first), following links as a process
 * inside would: never to a file of the host.
 */
export const imageFileReader =
  (lowerDirs: readonly string[]): ImageFileReader =>
  (path) => {
    const real = resolveInLayers(lowerDirs, path);
    if (real === undefined) return undefined;
    const stats = lstatSync(real);
    return stats.isFile() && stats.size <= MAX_FILE_BYTES ? readFileSync(real, 'utf8') : undefined;
  };

const resolveInLayers = (lowerDirs: readonly string[], path: string): string | undefined => {
  let pending = path.split('/').filter((part) => part !== '' && part !== '.');
  let resolved: string[] = [];
  let found: string | undefined;
  for (let links = 0; pending.length > 0;) {
    const [part = '', ...rest] = pending;
    pending = rest;
    if (part === '..') {
      resolved = resolved.slice(0, -1);
      continue;
    }
    const entry = lookUp(lowerDirs, [...resolved, part]);
    if (entry === undefined) return undefined;
    if (lstatSync(entry).isSymbolicLink()) {
      if (++links > MAX_LINKS) return undefined;
      const target = readlinkSync(entry);
      if (target.startsWith('/')) resolved = [];
      pending = [...target.split('/').filter((piece) => piece !== '' && piece !== '.'), ...pending];
    } else {
      resolved = [...resolved, part];
      found = entry;
    }
  }
  return found;
};

/** The topmost layer that has the entry; a whiteout (character device 0:0) hides those below. */
const lookUp = (lowerDirs: readonly string[], parts: readonly string[]): string | undefined => {
  for (const layer of lowerDirs) {
    const path = join(layer, ...parts);
    try {
      const stats = lstatSync(path);
      return stats.isCharacterDevice() && stats.rdev === 0 ? undefined : path;
    } catch {
      // Not in this layer.
    }
  }
  return undefined;
};
