/** FNV-1a over UTF-16 units, 32 bits. Stable across processes: decisions can be replayed. */
export const hashText = (text: string): number => {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
};

/** Mixes two hashes and a seed so that each pair orders independently of all others. */
export const mixHashes = (a: number, b: number, seed: number): number => {
  let mixed = Math.imul(a ^ Math.imul(b, 0x9e3779b1) ^ seed, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
};
