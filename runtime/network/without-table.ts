import { IP_FAMILIES, nftOf } from './family';

/** Text for nft that takes the tables of a name away, of both families, whether or not they are there. */
export const withoutTable = (table: string): string =>
  IP_FAMILIES.map((family) => withoutTableOf(nftOf(family).word, table)).join('');

/** The same of one family, in nft's words. */
export const withoutTableOf = (word: string, table: string): string =>
  `add table ${word} ${table}\ndelete table ${word} ${table}\n`;
