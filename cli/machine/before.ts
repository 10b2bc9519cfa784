import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { parseJson, stringifyJson } from '../../lib/json';
import { writeFileDurable } from '../../node-agent/files';

/** Settings of the kernel that a node changes, as they were before this machine became one. */
const FILE = '/var/lib/dhow/settings-before.json';

const schema = z.record(z.string().startsWith(`/proc/sys/net/`), z.string().max(64));

/** Writes down what is there now, once: what a second start finds is Dhow's own. */
export const keepSettings = (file = FILE): void => {
  if (existsSync(file)) return;
  mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
  const settings = settingFiles().flatMap((path): [string, string][] => {
    const value = readSetting(path);
    return value === undefined ? [] : [[path, value]];
  });
  writeFileDurable(file, `${stringifyJson(Object.fromEntries(settings), 2)}\n`);
};

/** Puts back what differs from what was written down, and says what it was. Undefined: nothing was written down. */
export const restoreSettings = (file = FILE): readonly string[] | undefined => {
  if (!existsSync(file)) return undefined;
  const settings = schema.parse(parseJson(readFileSync(file, 'utf8')));
  return Object.entries(settings).flatMap(([path, value]) => {
    const now = readSetting(path);
    // The interface has gone.
    if (now === undefined || now === value) return [];
    writeFileSync(path, value);
    return [`${path.slice('/proc/sys/'.length).replaceAll('/', '.')} = ${value}`];
  });
};

/** Forwarding first: the kernel changes others with it. */
const settingFiles = (): readonly string[] => [
  '/proc/sys/net/ipv4/ip_forward',
  ...interfacesIn('/proc/sys/net/ipv6/conf').flatMap((folder) => [
    `${folder}/forwarding`,
    `${folder}/accept_ra`,
  ]),
];

const interfacesIn = (folder: string): readonly string[] =>
  existsSync(folder)
    ? readdirSync(folder)
        .sort((a, b) => Number(b === 'all') - Number(a === 'all'))
        .map((name) => `${folder}/${name}`)
    : [];

const readSetting = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
};
