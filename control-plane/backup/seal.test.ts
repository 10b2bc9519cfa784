import { randomBytes } from 'node:crypto';
import { keyOf, newSeal, opened, sealed, SEAL, SealError } from './seal';

const HEADER = Buffer.from('header');
const key = randomBytes(32);

async function* pieces(...all: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* all;
}

const all = async (stream: AsyncIterable<Uint8Array>): Promise<Buffer> => {
  const found: Uint8Array[] = [];
  for await (const piece of stream) found.push(piece);
  return Buffer.concat(found);
};

const seal = (plain: Buffer) => all(sealed(pieces(plain), key, HEADER));
const unseal = (bytes: Uint8Array, header = HEADER) => all(opened(pieces(bytes), key, header));

it.each([0, 1, 1024 * 1024, 1024 * 1024 + 1, 3 * 1024 * 1024])(
  'opens what it sealed, of %s bytes, in whatever pieces it comes',
  async (size) => {
    const plain = randomBytes(size);
    const bytes = await seal(plain);
    // A byte or two may be among others by chance.
    expect(size > 64 && bytes.includes(plain.subarray(0, 64))).toBe(false);
    expect((await unseal(bytes)).equals(plain)).toBe(true);
    const halves = [bytes.subarray(0, 7), bytes.subarray(7, 5000), bytes.subarray(5000)];
    expect((await all(opened(pieces(...halves), key, HEADER))).equals(plain)).toBe(true);
  },
);

it('opens nothing that was changed, cut short, exchanged, prolonged, or has another header', async () => {
  const bytes = await seal(randomBytes(2 * 1024 * 1024 + 10));
  const first = bytes.readUInt32BE() + 4;
  const changed = Buffer.from(bytes);
  changed[first + 20] = (changed[first + 20] ?? 0) ^ 1;
  const exchanged = [bytes.subarray(first, 2 * first), bytes.subarray(0, first)];
  const wrong = [
    changed,
    bytes.subarray(0, -1),
    bytes.subarray(0, first),
    bytes.subarray(0, 2 * first),
    bytes.subarray(first),
    Buffer.concat([...exchanged, bytes.subarray(2 * first)]),
    Buffer.concat([bytes, Buffer.from([0])]),
    Buffer.alloc(0),
    Buffer.from('what is no snapshot at all, and says so'),
  ];
  for (const each of wrong) await expect(unseal(each)).rejects.toThrow(SealError);
  await expect(unseal(bytes, Buffer.from('Header'))).rejects.toThrow(SealError);
});

it('derives the key of a passphrase, and says that it needs one', async () => {
  const kept = SEAL.parse(JSON.parse(JSON.stringify(newSeal('open sesame'))));
  const right = await keyOf(kept, 'open sesame');
  expect(right).toHaveLength(32);
  expect((await keyOf(kept, 'open sesame')).equals(right)).toBe(true);
  expect((await keyOf(kept, 'open sesame ')).equals(right)).toBe(false);
  expect((await keyOf(newSeal('open sesame'), 'open sesame')).equals(right)).toBe(false);
  await expect(keyOf(kept, undefined)).rejects.toThrow('its passphrase is needed');
});

it('takes no header that asks for more memory than a machine has', () => {
  const { success } = SEAL.safeParse({ ...newSeal('a'), cost: 2 ** 21 });
  expect(success).toBe(false);
  expect(SEAL.safeParse({ ...newSeal('a'), cost: 2 ** 15 + 1 }).success).toBe(false);
});
