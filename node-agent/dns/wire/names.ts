import { LABEL_MAX_BYTES, NAME_MAX_BYTES } from './constants';

export interface ReadName {
  /** In lower case, without the last dot; dots and backslashes inside of labels bear a backslash. */
  readonly name: string;
  /** The first byte after it. */
  readonly end: number;
}

/** A name that is not compressed, as every question has. Undefined where there is none. */
export const readPlainName = (message: Buffer, start: number): ReadName | undefined => {
  let at = start;
  let to = 0;
  for (;;) {
    const length = message[at];
    if (length === undefined || length > LABEL_MAX_BYTES) return undefined;
    at++;
    if (length === 0) break;
    if (at - start + length >= NAME_MAX_BYTES || at + length > message.length) return undefined;
    for (const end = at + length; at < end; at++) {
      const byte = message[at] ?? 0;
      if (byte === DOT || byte === BACKSLASH) scratch[to++] = BACKSLASH;
      scratch[to++] = byte >= UPPER_A && byte <= UPPER_Z ? byte | 0x20 : byte;
    }
    scratch[to++] = DOT;
  }
  return { name: to === 0 ? '' : scratch.toString('latin1', 0, to - 1), end: at };
};

/** The first byte after a name, wherever its pointers lead; undefined where the message ends before. */
export const skipName = (message: Buffer, start: number): number | undefined => {
  for (let at = start; ;) {
    const length = message[at];
    if (length === undefined) return undefined;
    if (length === 0) return at + 1;
    if (length >= POINTER) return at + 2 <= message.length ? at + 2 : undefined;
    if (length > LABEL_MAX_BYTES) return undefined;
    at += length + 1;
  }
};

/**
 * A name with its pointers followed, as it would be without: to be written anywhere. Each pointer must lead
 * further to the front, so none goes round. Undefined where it is damaged.
 */
export const expandName = (message: Buffer, start: number): Buffer | undefined => {
  const parts: Buffer[] = [];
  let byteCount = 1;
  let lowest = start;
  for (let at = start; ;) {
    const length = message[at];
    if (length === undefined) return undefined;
    if (length === 0) return Buffer.concat([...parts, ROOT]);
    if (length >= POINTER) {
      const target = ((length & 0x3f) << 8) | (message[at + 1] ?? 0);
      if (at + 2 > message.length || target >= lowest) return undefined;
      lowest = target;
      at = target;
      continue;
    }
    const end = at + 1 + length;
    byteCount += length + 1;
    if (length > LABEL_MAX_BYTES || end > message.length || byteCount > NAME_MAX_BYTES)
      return undefined;
    parts.push(message.subarray(at, end));
    at = end;
  }
};

/** The bytes of a name of plain labels; undefined for one that the DNS has no room for. */
export const encodeName = (name: string): Buffer | undefined => {
  const labels = name.replace(/\.$/, '').split('.');
  if (labels.length === 1 && labels[0] === '') return ROOT;
  const parts = labels.map((label) => Buffer.from(label, 'latin1'));
  if (parts.some(({ length }) => length === 0 || length > LABEL_MAX_BYTES)) return undefined;
  const bytes = Buffer.concat([...parts.flatMap((part) => [Buffer.of(part.length), part]), ROOT]);
  return bytes.length > NAME_MAX_BYTES ? undefined : bytes;
};

const ROOT = Buffer.of(0);
/** The two highest bits of a length make it a pointer. */
const POINTER = 0xc0;
const DOT = 0x2e;
const BACKSLASH = 0x5c;
const UPPER_A = 0x41;
const UPPER_Z = 0x5a;
/** A name at its longest, each byte of it with a backslash. Read before anybody else may write. */
const scratch = Buffer.alloc(2 * NAME_MAX_BYTES);
