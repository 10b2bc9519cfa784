import { statfs } from 'node:fs/promises';

/** How much of the disk that a folder is on is in use, 0..1. As df counts: what only root may use is not there. */
export const diskUseOf = async (folder: string): Promise<number> => {
  const { blocks, bfree, bavail } = await statfs(folder);
  return (blocks - bfree) / Math.max(1, blocks - bfree + bavail);
};
