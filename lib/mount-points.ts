import { readFileSync } from 'node:fs';

/**
 * What is mounted at `folder` or below, as this process sees it, in the order of mounting. Bytes, since
 * who mounts there may choose names that are no text.
 */
export const mountPointsIn = (folder: string): readonly Buffer[] =>
  mountPointsOf(readFileSync('/proc/self/mountinfo'), folder);

/** Pure: the same of the content of a `mountinfo` file. */
export const mountPointsOf = (mountInfo: Buffer, folder: string): readonly Buffer[] => {
  const own = Buffer.from(folder).toString('latin1');
  // Nearly always nothing is mounted there, and of mounts a node of many pods has thousands.
  if (HAS_NO_ESCAPES.test(own) && !mountInfo.includes(own, 0, 'latin1')) return [];
  return mountInfo
    .toString('latin1')
    .split('\n')
    .map((line) => unescape(line.split(' ')[4] ?? ''))
    .filter((path) => path === own || path.startsWith(`${own}/`))
    .map((path) => Buffer.from(path, 'latin1'));
};

const HAS_NO_ESCAPES = /^[\w/.-]*$/;

/** The kernel writes blanks, line ends and backslashes in octal. */
const unescape = (path: string): string =>
  path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
