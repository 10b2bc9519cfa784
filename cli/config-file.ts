import { readFileSync } from 'node:fs';
import type { Command, Option } from 'commander';
import { readYaml, YamlError, type YamlDocument } from '../api/yaml/read';
import { describeError } from '../lib/describe-error';
import { collect } from './program';
import { UsageError } from './usage-error';

/**
 * Gives a program `--config FILE`: its flags as `name: value`, without the dashes; one that may be repeated takes
 * a list. What the command line says wins, and a list there replaces that of the file.
 */
export const withConfigFile = (program: Command, path: string): Command =>
  program
    .option('--config <file>', `holds flags, as in ${path}; those given here win`)
    .hook('preAction', (command) => {
      const { config } = command.opts<{ config?: string }>();
      if (config !== undefined) applyConfig(command, config, readConfig(config));
    });

/** The options that a file may set. */
export const optionsOfFile = (program: Command): readonly Option[] =>
  program.options.filter(({ long }) => long !== '--config');

/** What is required, wherever it was to be said. @throws CommanderError */
export const requireOption = (command: Command, name: string): void => {
  const option = command.options.find((each) => each.attributeName() === name);
  if (option === undefined || command.getOptionValue(name) !== undefined) return;
  command.error(`error: required option '${option.flags}' not specified`);
};

const readConfig = (file: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`--config: ${describeError(error)}`);
  }
};

/** @throws UsageError naming file, line and flag */
export const applyConfig = (command: Command, file: string, text: string): void => {
  const document = flagDocumentOf(file, text);
  if (document === undefined) return;
  for (const [name, value] of Object.entries(document.value as object)) {
    const { line } = document.positionOf(name);
    const complain = (problem: string) => new UsageError(`${file}:${line}: ${name}: ${problem}`);
    const option = optionsOfFile(command).find(({ long }) => long === `--${name}`);
    if (option === undefined) throw complain(`there is no such flag of ${command.name()}`);
    const attribute = option.attributeName();
    const parsed = parse(option, value, complain);
    if (command.getOptionValueSource(attribute) !== 'cli')
      command.setOptionValueWithSource(attribute, parsed, 'config');
  }
};

/** The flags of a file, each with its line. Undefined: it says nothing. @throws UsageError naming file and line */
export const flagDocumentOf = (file: string, text: string): YamlDocument | undefined => {
  const [document, second] = parseYaml(file, text);
  if (document === undefined) return undefined;
  const at = (line: number) => `${file}:${line}: `;
  if (second !== undefined) throw new UsageError(`${at(second.line)}a second document`);
  const [twice] = document.duplicates;
  if (twice !== undefined)
    throw new UsageError(`${at(twice.secondLine)}${twice.path}: also in line ${twice.firstLine}`);
  if (kindOf(document.value) !== 'an object')
    throw new UsageError(`${at(document.line)}expected flags, found ${kindOf(document.value)}`);
  return document;
};

const parseYaml = (file: string, text: string): readonly YamlDocument[] => {
  try {
    return readYaml(text);
  } catch (error) {
    if (error instanceof YamlError) throw new UsageError(`${file}: ${error.message}`);
    throw error;
  }
};

type Complain = (problem: string) => UsageError;

const parse = (option: Option, value: unknown, complain: Complain): unknown => {
  const refuse = (wanted: string) => complain(`expected ${wanted}, found ${kindOf(value)}`);
  if (!option.required && !option.optional) {
    if (typeof value !== 'boolean') throw refuse('true or false');
    // A flag that is not given has no value at all.
    return value ? true : undefined;
  }
  if (isRepeatable(option)) {
    const items = Array.isArray(value) ? (value as readonly unknown[]) : [value];
    const wrong = items.find((item) => textOf(item) === undefined);
    if (wrong !== undefined) throw complain(`expected texts, found ${kindOf(wrong)} among them`);
    return items.map((item) => textOf(item));
  }
  const text = textOf(value);
  if (text === undefined) throw refuse(isNumber(option) ? 'a whole number' : 'a text');
  try {
    return option.parseArg === undefined ? text : option.parseArg<unknown>(text, undefined);
  } catch (error) {
    throw complain(describeError(error));
  }
};

export const isRepeatable = ({ parseArg }: Option): boolean => parseArg === collect;

const isNumber = (option: Option): boolean =>
  option.parseArg !== undefined && !isRepeatable(option) && option.argChoices === undefined;

/** As it would stand on a command line. */
const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : Number.isSafeInteger(value) ? String(value) : undefined;

const kindOf = (value: unknown): string => {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
};
