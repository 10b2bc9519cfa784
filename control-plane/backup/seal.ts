import {
  createCipheriv,
  createDecipheriv,
  createHash,
  randomBytes,
  scrypt,
  type BinaryLike,
  type ScryptOptions,
} from 'node:crypto';
import { z } from 'zod';

/**
 * How a stream is sealed, as its header says. `none`: with a key that lies beside it, which tells only
 * that nothing of it was changed by mistake.
 */
export type Seal = z.output<typeof SEAL>;

export const SEAL = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('passphrase'),
    kdf: z.literal('scrypt'),
    /** 2^14 to 2^20: 1 KiB each. */
    cost: z
      .number()
      .int()
      .min(2 ** 14)
      .max(2 ** 20)
      .refine((cost) => Number.isInteger(Math.log2(cost)), 'has to be a power of two'),
    salt: z.base64().max(64),
  }),
  z.strictObject({ kind: z.literal('none'), key: z.base64().length(44) }),
]);

/** What is sealed was changed, is cut short, or was sealed with another passphrase. */
export class SealError extends Error {
  override readonly name = 'SealError';
}

export const newSeal = (passphrase: string | undefined): Seal =>
  passphrase === undefined
    ? { kind: 'none', key: randomBytes(KEY_BYTES).toString('base64') }
    : { kind: 'passphrase', kdf: 'scrypt', cost: COST, salt: randomBytes(16).toString('base64') };

/** @throws SealError when it needs a passphrase and there is none */
export const keyOf = async (seal: Seal, passphrase: string | undefined): Promise<Buffer> => {
  if (seal.kind === 'none') return Buffer.from(seal.key, 'base64');
  if (passphrase === undefined) throw new SealError('it is sealed: its passphrase is needed');
  const { cost, salt } = seal;
  const options = { N: cost, r: 8, p: 1, maxmem: 2 * 128 * 8 * cost };
  return derive(passphrase, Buffer.from(salt, 'base64'), options);
};

/**
 * Seals a stream with AES-256-GCM in pieces: each is bound to its place, to the header, and to whether it
 * is the last, so that none can be exchanged, left out or added. The key must be of this stream alone.
 */
export async function* sealed(
  plain: AsyncIterable<Uint8Array>,
  key: Buffer,
  header: Uint8Array,
): AsyncGenerator<Buffer> {
  const context = createHash('sha256').update(header).digest();
  let index = 0;
  const seal = (piece: Uint8Array, isLast: boolean): Buffer => {
    const cipher = createCipheriv('aes-256-gcm', key, nonceOf(index++, isLast));
    cipher.setAAD(context);
    const body = Buffer.concat([cipher.update(piece), cipher.final(), cipher.getAuthTag()]);
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32BE(body.length + (isLast ? LAST : 0));
    return Buffer.concat([length, body]);
  };
  let held: Buffer = Buffer.alloc(0);
  for await (const piece of plain) {
    held = Buffer.concat([held, piece]);
    while (held.length > PIECE_BYTES) {
      yield seal(held.subarray(0, PIECE_BYTES), false);
      held = held.subarray(PIECE_BYTES);
    }
  }
  yield seal(held, true);
}

/**
 * What was sealed. Each piece is whole, and it is all of it only when the iteration ends without an error.
 * @throws SealError
 */
export async function* opened(
  stream: AsyncIterable<Uint8Array>,
  key: Buffer,
  header: Uint8Array,
): AsyncGenerator<Buffer> {
  const context = createHash('sha256').update(header).digest();
  let held: Buffer = Buffer.alloc(0);
  let index = 0;
  let isEnded = false;
  for await (const bytes of stream) {
    held = Buffer.concat([held, bytes]);
    for (let piece = pieceIn(held); piece !== undefined; piece = pieceIn(held)) {
      if (isEnded) break;
      yield open(piece.body, key, nonceOf(index++, piece.isLast), context);
      isEnded = piece.isLast;
      held = held.subarray(LENGTH_BYTES + piece.body.length);
    }
    if (isEnded && held.length > 0) throw new SealError('something follows after its end');
  }
  if (!isEnded) throw new SealError('it is cut short');
}

const pieceIn = (bytes: Buffer): { body: Buffer; isLast: boolean } | undefined => {
  if (bytes.length < LENGTH_BYTES) return undefined;
  const said = bytes.readUInt32BE();
  const isLast = said >= LAST;
  const length = isLast ? said - LAST : said;
  if (length < TAG_BYTES || length > PIECE_BYTES + TAG_BYTES)
    throw new SealError('it is damaged: a piece of it says a size that none has');
  if (bytes.length < LENGTH_BYTES + length) return undefined;
  return { body: bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length), isLast };
};

const open = (body: Buffer, key: Buffer, nonce: Buffer, context: Buffer): Buffer => {
  const end = body.length - TAG_BYTES;
  const decipher = createDecipheriv('aes-256-gcm', key, nonce);
  decipher.setAAD(context);
  decipher.setAuthTag(body.subarray(end));
  try {
    return Buffer.concat([decipher.update(body.subarray(0, end)), decipher.final()]);
  } catch (error) {
    throw new SealError('the passphrase is another, or the file was changed', { cause: error });
  }
};

const nonceOf = (index: number, isLast: boolean): Buffer => {
  const nonce = Buffer.alloc(12);
  nonce.writeUIntBE(index, 2, 6);
  nonce.writeUInt32BE(isLast ? 1 : 0, 8);
  return nonce;
};

const derive = (passphrase: BinaryLike, salt: Buffer, options: ScryptOptions): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    scrypt(passphrase, salt, KEY_BYTES, options, (error, key) =>
      error === null ? resolve(key) : reject(error),
    );
  });

const KEY_BYTES = 32;
const TAG_BYTES = 16;
const LENGTH_BYTES = 4;
const LAST = 2 ** 31;
const PIECE_BYTES = 1024 * 1024;
/** 64 MiB of memory, and some tenths of a second. */
const COST = 2 ** 16;
