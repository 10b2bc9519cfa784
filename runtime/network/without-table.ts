import { IP_FAMILIES, nftOf } from './family';

/** Text for nft that takes the tables of a name away, of both families, whether or not they are there. */
export const withoutTable = (table: string): string =>
  IP_FAMILIES.map((family) => {
    const { word } = nftOf(family);
    return `add table ${word} ${table}\ndelete table ${word} ${table}\n`;
  }).join('');
