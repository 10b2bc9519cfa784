import { plain } from './text';

/** Pure: the last lines of a container of a pod, below a title, each within bounds. */
export const lastWordsText = (pod: string, container: string, lines: readonly string[]): string =>
  lines.length === 0
    ? ''
    : [
        `\nlast lines of container ${plain(container)} of pod/${plain(pod)}:`,
        ...lines.map((line) => `  ${bounded(plain(line))}`),
        '',
      ].join('\n');

const bounded = (line: string): string =>
  line.length <= LINE_CHARACTERS_MAX ? line : `${line.slice(0, LINE_CHARACTERS_MAX)}…`;

const LINE_CHARACTERS_MAX = 500;
