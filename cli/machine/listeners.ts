import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { formatIp, ipOfBytes } from '../../lib/net/ip';

/** A TCP port that is taken. */
export interface Listener {
  /** `0.0.0.0` for all. */
  readonly address: string;
  readonly port: number;
  /** Undefined where it is not for us to know. */
  readonly holder:
    { readonly pid: number; readonly name: string; readonly isOurs: boolean } | undefined;
}

/** Who listens on this machine now. */
export const listeners = (): readonly Listener[] => {
  const sockets = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => listeningIn(read(file)));
  const holders = holdersOf(new Set(sockets.map(({ inode }) => inode)));
  return sockets.map(({ address, port, inode }) => ({ address, port, holder: holders.get(inode) }));
};

/** Pure: of a file such as `/proc/net/tcp`. */
export const listeningIn = (
  text: string,
): readonly { readonly address: string; readonly port: number; readonly inode: string }[] =>
  text.split('\n').flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    const [, local = '', , state] = fields;
    const [hex = '', port = ''] = local.split(':');
    if (state !== LISTEN) return [];
    const ip = ipOfBytes(bytesOf(hex));
    return ip === undefined
      ? []
      : [{ address: formatIp(ip), port: parseInt(port, 16), inode: fields[9] ?? '' }];
  });

/** The kernel writes addresses as words in the machine's own order, which is little-endian wherever Dhow runs. */
const bytesOf = (hex: string): Buffer => {
  const bytes = Buffer.from(hex, 'hex');
  return bytes.length % 4 === 0 ? bytes.swap32() : bytes;
};

const holdersOf = (inodes: ReadonlySet<string>): ReadonlyMap<string, Listener['holder']> => {
  const found = new Map<string, Listener['holder']>();
  for (const pid of names('/proc').filter((name) => /^\d+$/.test(name)))
    for (const fd of names(`/proc/${pid}/fd`)) {
      const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`))?.[1];
      if (inode !== undefined && inodes.has(inode) && !found.has(inode))
        found.set(inode, {
          pid: Number(pid),
          name: read(`/proc/${pid}/comm`).trim(),
          isOurs: isOurs(read(`/proc/${pid}/cmdline`)),
        });
    }
  return found;
};

/** One of Dhow's programs, all of which are scripts of Node. */
const isOurs = (commandLine: string): boolean =>
  /(^|\0)[^\0]*\/(dhow|ingress-proxy|dns-resolver)\.js\0/.test(commandLine);

const names = (folder: string): readonly string[] => {
  try {
    return readdirSync(folder);
  } catch {
    // Ended meanwhile, or not ours to look at.
    return [];
  }
};

const read = (file: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
};

const linkOf = (path: string): string => {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
};

const LISTEN = '0A';
