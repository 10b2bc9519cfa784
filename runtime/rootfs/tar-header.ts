import type { FileTime } from './libc';

export type TarEntryType =
  'file' | 'directory' | 'symlink' | 'hardlink' | 'char' | 'block' | 'fifo';

/** One member of a tar archive. Strings are byte strings (one character per byte). */
export interface TarEntry {
  readonly path: string;
  readonly type: TarEntryType;
  readonly linkPath: string;
  /** Permission bits with set-uid, set-gid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly mtime: FileTime;
  readonly major: number;
  readonly minor: number;
  readonly xattrs: ReadonlyMap<string, Buffer>;
}

/** The archive breaks the tar format, or uses a part of it that is refused. */
export class TarError extends Error {
  override readonly name = 'TarError';
}

/** One 512-byte header block, before pax records and long names are applied. */
export interface RawHeader {
  readonly typeFlag: string;
  readonly path: string;
  readonly linkPath: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly mtimeSeconds: number;
  readonly major: number;
  readonly minor: number;
}

export const BLOCK_BYTES = 512;

/** @throws TarError when the checksum or a number is wrong. */
export const decodeHeader = (block: Buffer): RawHeader => {
  if (!checksumMatches(block)) throw new TarError('bad header checksum: not a tar archive, or cut');
  const magic = block.toString('latin1', 257, 265);
  const isPosix = magic.startsWith('ustar\0');
  const isGnu = magic === 'ustar  \0';
  const prefix = isPosix ? cString(block, 345, 155) : '';
  const name = cString(block, 0, 100);
  return {
    typeFlag: String.fromCharCode(block[156] ?? 0),
    path: prefix === '' ? name : `${prefix}/${name}`,
    linkPath: cString(block, 157, 100),
    mode: number(block, 100, 8, 'mode') & 0o7777,
    uid: number(block, 108, 8, 'uid'),
    gid: number(block, 116, 8, 'gid'),
    sizeBytes: number(block, 124, 12, 'size'),
    mtimeSeconds: signedNumber(block, 136, 12, 'mtime'),
    major: isPosix || isGnu ? number(block, 329, 8, 'devmajor') : 0,
    minor: isPosix || isGnu ? number(block, 337, 8, 'devminor') : 0,
  };
};

/** Parses `length key=value\n` records. Values are byte strings. */
export const decodePax = (data: Buffer): Map<string, string> => {
  const records = new Map<string, string>();
  let offset = 0;
  while (offset < data.length) {
    const space = data.indexOf(0x20, offset);
    const lengthText = space === -1 ? '' : data.toString('latin1', offset, space);
    const length = /^[1-9][0-9]{0,9}$/.test(lengthText) ? Number(lengthText) : 0;
    const end = offset + length;
    const equals = data.indexOf(0x3d, space + 1);
    const isWhole = end <= data.length && data[end - 1] === 0x0a;
    if (!isWhole || equals === -1 || equals >= end || space >= end) {
      throw new TarError('bad pax record');
    }
    const key = data.toString('latin1', space + 1, equals);
    const value = data.toString('latin1', equals + 1, end - 1);
    if (!key.includes('xattr') && value.includes('\0')) throw new TarError('NUL in a pax record');
    records.set(key, value);
    offset = end;
  }
  return records;
};

/** Applies pax records over the header: they win where present. */
export const applyPax = (raw: RawHeader, pax: ReadonlyMap<string, string>): TarEntry => {
  const path = pax.get('path') ?? raw.path;
  for (const key of pax.keys()) {
    if (key.startsWith('GNU.sparse.')) throw sparseError(pax.get('GNU.sparse.name') ?? path);
  }
  const type = entryType(raw.typeFlag, path);
  return {
    path,
    type,
    linkPath: pax.get('linkpath') ?? raw.linkPath,
    mode: raw.mode,
    uid: id(paxNumber(pax, 'uid') ?? raw.uid, path),
    gid: id(paxNumber(pax, 'gid') ?? raw.gid, path),
    sizeBytes: type === 'file' ? (paxNumber(pax, 'size') ?? raw.sizeBytes) : 0,
    mtime: paxTime(pax.get('mtime')) ?? { seconds: raw.mtimeSeconds, nanos: 0 },
    major: raw.major,
    minor: raw.minor,
    xattrs: paxXattrs(pax),
  };
};

const entryType = (flag: string, path: string): TarEntryType => {
  // Archives older than POSIX mark directories by a slash at the end.
  if (flag === '0' || flag === '\0') return path.endsWith('/') ? 'directory' : 'file';
  const type = TYPES.get(flag);
  if (type !== undefined) return type;
  if (flag === 'S') throw sparseError(path);
  throw new TarError(
    `entry ${JSON.stringify(path)} has the unsupported type ${JSON.stringify(flag)}`,
  );
};

const sparseError = (path: string): TarError =>
  new TarError(`entry ${JSON.stringify(path)} is a sparse file, which is not supported`);

const cString = (block: Buffer, offset: number, length: number): string => {
  const end = block.indexOf(0, offset);
  const stop = end === -1 || end > offset + length ? offset + length : end;
  return block.toString('latin1', offset, stop);
};

const number = (block: Buffer, offset: number, length: number, field: string): number => {
  const value = signedNumber(block, offset, length, field);
  if (value < 0) throw new TarError(`negative ${field} in a header`);
  return value;
};

const signedNumber = (block: Buffer, offset: number, length: number, field: string): number => {
  const first = block[offset] ?? 0;
  if ((first & 0x80) !== 0) return base256(block.subarray(offset, offset + length), field);
  const text = block
    .toString('latin1', offset, offset + length)
    .replace(/^[ \0]+/, '')
    .replace(/[ \0].*$/s, '');
  if (text === '') return 0;
  if (!/^-?[0-7]+$/.test(text)) throw new TarError(`bad ${field} in a header`);
  return parseInt(text, 8);
};

/** GNU's binary form for numbers too large for octal. */
const base256 = (bytes: Buffer, field: string): number => {
  const isNegative = (bytes[0] ?? 0) === 0xff;
  let value = isNegative ? -1n : BigInt((bytes[0] ?? 0) & 0x7f);
  for (const byte of bytes.subarray(1)) value = (value << 8n) | BigInt(byte);
  if (value > MAX_SAFE || value < -MAX_SAFE)
    throw new TarError(`${field} out of range in a header`);
  return Number(value);
};

const checksumMatches = (block: Buffer): boolean => {
  let unsigned = 0;
  let signed = 0;
  for (let i = 0; i < BLOCK_BYTES; i++) {
    const byte = i >= 148 && i < 156 ? 0x20 : (block[i] ?? 0);
    unsigned += byte;
    signed += byte < 128 ? byte : byte - 256;
  }
  const stored = parseInt(block.toString('latin1', 148, 156).replace(/[ \0]+/g, ''), 8);
  return stored === unsigned || stored === signed;
};

const paxNumber = (pax: ReadonlyMap<string, string>, key: string): number | undefined => {
  const text = pax.get(key);
  if (text === undefined) return undefined;
  const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(value)) throw new TarError(`bad pax ${key}`);
  return value;
};

/** `-1` means "leave alone" to the kernel, so it is no owner. */
const id = (value: number, path: string): number => {
  if (value >= 0xffffffff) throw new TarError(`owner of ${JSON.stringify(path)} is out of range`);
  return value;
};

const paxTime = (text: string | undefined): FileTime | undefined => {
  if (text === undefined) return undefined;
  const match = /^(-?)([0-9]{1,15})(?:\.([0-9]*))?$/.exec(text);
  if (match === null) throw new TarError('bad pax mtime');
  const seconds = Number(match[2]);
  const nanos = Number((match[3] ?? '').padEnd(9, '0').slice(0, 9));
  if (match[1] === '') return { seconds, nanos };
  return nanos === 0
    ? { seconds: -seconds, nanos }
    : { seconds: -seconds - 1, nanos: 1_000_000_000 - nanos };
};

const paxXattrs = (pax: ReadonlyMap<string, string>): ReadonlyMap<string, Buffer> => {
  const xattrs = new Map<string, Buffer>();
  for (const [key, value] of pax) {
    if (key.startsWith(XATTR_PREFIX)) {
      xattrs.set(key.slice(XATTR_PREFIX.length), Buffer.from(value, 'latin1'));
    }
  }
  return xattrs;
};

const XATTR_PREFIX = 'SCHILY.xattr.';
const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);
const TYPES: ReadonlyMap<string, TarEntryType> = new Map([
  ['1', 'hardlink'],
  ['2', 'symlink'],
  ['3', 'char'],
  ['4', 'block'],
  ['5', 'directory'],
  ['6', 'fifo'],
  ['7', 'file'],
]);
