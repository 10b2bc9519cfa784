import type { Argument, Command, Option } from 'commander';

/** What a word at the end of a command line may become. */
export type Wanted =
  | { readonly is: 'words'; readonly words: readonly Candidate[] }
  | { readonly is: 'kinds'; readonly before: string }
  | { readonly is: 'names'; readonly kind: string; readonly before: string }
  | { readonly is: 'containers'; readonly pod: string }
  | { readonly is: 'contexts' | 'clusters' }
  /** Files, or what nobody can know. */
  | { readonly is: 'others' };

export interface Candidate {
  readonly word: string;
  readonly help?: string;
}

/** A command line that is being typed. */
export interface Line {
  readonly wanted: Wanted;
  /** What there is of the last word; of `--output=y`, `y`. */
  readonly typed: string;
  /** What is before that in the last word: `--output=`. */
  readonly lead: string;
  /** Options that say which server: `--context`, `-n` ... by their long names. */
  readonly options: Readonly<Record<string, string>>;
}

/** Pure: what the last of `words` may become. `words` does not hold the program itself. */
export const lineOf = (program: Command, words: readonly string[]): Line => {
  const last = words.at(-1) ?? '';
  const { command, args, options, open } = read(program, words.slice(0, -1));
  const line = { typed: last, lead: '', options };
  if (open === 'end') return { ...line, wanted: OTHERS };
  if (open !== undefined) return { ...line, wanted: valueOf(open, args) };
  const match = /^(--[^=]+=)([^]*)$/.exec(last);
  if (match !== null) {
    const [, lead = '', typed = ''] = match;
    const option = optionsOf(command).find(({ long }) => `${long ?? ''}=` === lead);
    return { options, lead, typed, wanted: option === undefined ? OTHERS : valueOf(option, args) };
  }
  if (last.startsWith('-')) return { ...line, wanted: flagsOf(command) };
  if (command.commands.length > 0 && args.length === 0)
    return { ...line, wanted: commandsOf(command) };
  return { ...line, wanted: argumentOf(command, args, last) };
};

interface Read {
  readonly command: Command;
  readonly args: readonly string[];
  readonly options: Readonly<Record<string, string>>;
  /** An option that waits for its value, or `--`. */
  readonly open: Option | 'end' | undefined;
}

const read = (program: Command, words: readonly string[]): Read => {
  let command = program;
  const args: string[] = [];
  const options: Record<string, string> = {};
  let open: Option | undefined;
  for (const word of words) {
    if (open !== undefined) {
      options[open.attributeName()] = word;
      open = undefined;
    } else if (word === '--') return { command, args, options, open: 'end' };
    else if (word.startsWith('-') && word !== '-') {
      const [, flag = word, value] = /^(-[^=]*)=([^]*)$/.exec(word) ?? [];
      const option = optionsOf(command).find(({ short, long }) => [short, long].includes(flag));
      if (option?.required !== true) continue;
      if (value === undefined) open = option;
      else options[option.attributeName()] = value;
    } else {
      const sub =
        args.length > 0 ? undefined : command.commands.find((each) => each.name() === word);
      if (sub === undefined) args.push(word);
      else command = sub;
    }
  }
  return { command, args, options, open };
};

const optionsOf = (command: Command): readonly Option[] => [
  ...command.options,
  ...(command.parent === null ? [] : optionsOf(command.parent)),
];

const commandsOf = ({ commands }: Command): Wanted => ({
  is: 'words',
  words: commands.map((each) => ({ word: each.name(), help: each.description() })),
});

const flagsOf = (command: Command): Wanted => ({
  is: 'words',
  words: [
    ...optionsOf(command).map(({ long, short, description, required }) => ({
      word: `${long ?? short ?? ''}${required && long !== undefined ? '=' : ''}`,
      help: description,
    })),
    { word: '--help', help: 'what the command does' },
  ],
});

const valueOf = (option: Option, args: readonly string[]): Wanted => {
  const name = option.attributeName();
  switch (name) {
    case 'namespace':
      return { is: 'names', kind: 'namespaces', before: '' };
    case 'context':
      return { is: 'contexts' };
    case 'cluster':
      return { is: 'clusters' };
    case 'container':
      return { is: 'containers', pod: args[0] ?? '' };
    default: {
      const values = option.argChoices ?? VALUES[name];
      return values === undefined
        ? OTHERS
        : { is: 'words', words: values.map((word) => ({ word })) };
    }
  }
};

const argumentOf = (command: Command, args: readonly string[], typed: string): Wanted => {
  const { registeredArguments: known } = command;
  const argument: Argument | undefined = known[args.length] ?? known.at(-1);
  if (argument === undefined || (args.length >= known.length && !argument.variadic)) return OTHERS;
  if (argument.argChoices !== undefined)
    return { is: 'words', words: argument.argChoices.map((word) => ({ word })) };
  const slash = typed.indexOf('/');
  switch (argument.name()) {
    case 'kind-or-name':
      if (slash > 0) return pairOf(typed, slash);
      return args.length === 0 || args[0]?.includes('/') === true
        ? { is: 'kinds', before: typed.slice(0, typed.lastIndexOf(',') + 1) }
        : { is: 'names', kind: args[0] ?? '', before: '' };
    case 'pod':
      return slash > 0 ? pairOf(typed, slash) : { is: 'names', kind: 'pods', before: '' };
    case 'node':
      return { is: 'names', kind: 'nodes', before: '' };
    case 'kind':
      return { is: 'kinds', before: '' };
    case 'name':
      return CONTEXT_COMMANDS.has(command.name()) ? { is: 'contexts' } : OTHERS;
    default:
      return OTHERS;
  }
};

const pairOf = (typed: string, slash: number): Wanted => ({
  is: 'names',
  kind: typed.slice(0, slash),
  before: typed.slice(0, slash + 1),
});

const OTHERS: Wanted = { is: 'others' };

const CONTEXT_COMMANDS: ReadonlySet<string> = new Set([
  ...['use-context', 'set-context', 'delete-context', 'get-contexts'],
]);

const VALUES: Readonly<Record<string, readonly string[]>> = {
  output: ['yaml', 'json', 'name', 'wide', 'jsonpath=', 'go-template=', 'custom-columns='],
  dryRun: ['server', 'client', 'none'],
  subresource: ['status', 'scale'],
};
