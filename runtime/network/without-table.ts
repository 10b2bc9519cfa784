/** Text for nft that takes a table away, whether or not it is there. */
export const withoutTable = (table: string): string =>
  `add table ip ${table}\ndelete table ip ${table}\n`;
