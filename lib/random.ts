import { randomFillSync } from 'node:crypto';

/** Where chance comes from: a real source in production, a seeded one in tests and simulation. */
export interface Random {
  /** A number in [0, 1). */
  next(): number;
}

// Taken from the kernel a page at a time: a call for every number costs more than what it is for.
const pool = new Uint32Array(1024);
let unusedCount = 0;

export const systemRandom: Random = {
  next: () => {
    if (unusedCount === 0) unusedCount = randomFillSync(pool).length;
    return (pool[--unusedCount] ?? 0) / 2 ** 32;
  },
};

/** Mulberry32: small, fast, good enough for jitter and simulation; never for secrets. */
export const seededRandom = (seed: number): Random => {
  let state = seed >>> 0;
  return {
    next: () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = state;
      t = Math.imul(t ^ (t >>> 15), t | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    },
  };
};

// Kubernetes' alphabet for generated names: no vowels, no look-alikes.
const NAME_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

/** `count` characters of the alphabet that Kubernetes uses for `generateName` and pod hashes. */
export const randomSuffix = (random: Random, count = 5): string => {
  let suffix = '';
  for (let i = 0; i < count; i++)
    suffix += NAME_ALPHABET.charAt(Math.floor(random.next() * NAME_ALPHABET.length));
  return suffix;
};
