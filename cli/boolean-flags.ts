import type { Command, Option } from 'commander';
import { UsageError } from './usage-error';

/**
 * The words of a command line as commander takes them: `--rm=true`, `-it=true` and `--rm=false` are
 * right in kubectl, as is `-n=name`. What is said last holds. @throws UsageError
 */
export const withPlainFlags = (program: Command, argv: readonly string[]): readonly string[] => {
  const words: string[] = [];
  let command = program;
  let isValue = false;
  for (const [i, word] of argv.entries()) {
    if (word === '--') return [...words, ...argv.slice(i)];
    if (isValue || !word.startsWith('-') || word === '-') {
      command = (isValue ? undefined : subcommand(command, word)) ?? command;
      words.push(word);
      isValue = false;
      continue;
    }
    isValue = optionsOf(command).some((option) => option.required && isCalled(option, word));
    const { keep, drop } = plain(command, word);
    for (const name of drop) removeAll(words, name);
    words.push(...keep);
  }
  return words;
};

const subcommand = ({ commands }: Command, word: string): Command | undefined =>
  commands.find((each) => each.name() === word || each.aliases().includes(word));

/** Its own, and its parents', which may follow it. */
const optionsOf = (command: Command): readonly Option[] => [
  ...command.options,
  ...(command.parent === null ? [] : optionsOf(command.parent)),
];

interface Plain {
  readonly keep: readonly string[];
  /** Options that were given before, and are taken back. */
  readonly drop: readonly Option[];
}

const plain = (command: Command, word: string): Plain => {
  const match = /^(--[^=]+|-[A-Za-z]+)=([^]*)$/.exec(word);
  const asIs = { keep: [word], drop: [] };
  if (match === null) return asIs;
  const [, flags = '', value = ''] = match;
  const isLong = flags.startsWith('--');
  const letters = isLong ? [flags] : Array.from(flags.slice(1), (letter) => `-${letter}`);
  const before = letters.slice(0, -1);
  const known = optionsOf(command);
  const options = letters.map((letter) => known.find((option) => isCalled(option, letter)));
  const last = options.pop();
  if (last === undefined || !options.every((option) => option !== undefined && takesNone(option)))
    return asIs;
  if (!takesNone(last))
    return isLong ? asIs : { keep: [...before, `${last.long ?? flags}=${value}`], drop: [] };
  return isTrue(last, value)
    ? { keep: [...before, letters.at(-1) ?? ''], drop: [] }
    : { keep: before, drop: [last] };
};

const isCalled = ({ short, long }: Option, word: string): boolean =>
  word === short || word === long;

const takesNone = ({ required, optional }: Option): boolean => !required && !optional;

/** @throws UsageError */
const isTrue = ({ short, long = '' }: Option, value: string): boolean => {
  if (TRUE.has(value)) return true;
  if (FALSE.has(value)) return false;
  const flag = short === undefined ? long : `${short}, ${long}`;
  throw new UsageError(
    `invalid argument "${value}" for "${flag}" flag: strconv.ParseBool: parsing "${value}": invalid syntax`,
  );
};

/** Words of an option without a value, alone or among letters (`-it`). */
const removeAll = (words: string[], option: Option): void => {
  for (let i = words.length - 1; i >= 0; i -= 1) {
    if (isCalled(option, words[i] ?? '')) words.splice(i, 1);
  }
};

const TRUE: ReadonlySet<string> = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);
const FALSE: ReadonlySet<string> = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False']);
