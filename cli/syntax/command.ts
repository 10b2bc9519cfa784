import type { Command } from 'commander';
import type { CliContext } from '../context';
import type { Terminal } from '../output/terminal';

/** What a command does. A number is the exit code. */
export type Action<A extends readonly unknown[]> = (
  context: CliContext,
  ...args: A
) => Promise<unknown>;

/** Adds the options that reach a cluster, and runs `action` with a connection. */
export type Connected = <A extends readonly unknown[]>(
  command: Command,
  action: Action<A>,
) => Command;

/** What a command does that reaches no cluster. A number is the exit code. */
export type LocalAction<A extends readonly unknown[]> = (
  terminal: Terminal,
  ...args: A
) => Promise<unknown>;

/** Adds the options that name a kubeconfig, and runs `action` without a connection. */
export type Local = <A extends readonly unknown[]>(
  command: Command,
  action: LocalAction<A>,
) => Command;

/** Adds a command to the program. */
export type Define = (program: Command, connected: Connected, local: Local) => void;

/** A command whose modules start when it is called: `get` must not wait for what `apply` needs. */
export const lazily =
  <C, A extends readonly unknown[]>(
    load: () => Promise<(context: C, ...args: A) => Promise<unknown>>,
  ) =>
  async (context: C, ...args: A) =>
    (await load())(context, ...args);

/** For kinds that live in namespaces. */
export const inNamespace = (command: Command): Command =>
  command.option('-n, --namespace <name>', 'the namespace');

/** For commands that can look at all namespaces at once. */
export const inNamespaces = (command: Command): Command =>
  inNamespace(command).option('-A, --all-namespaces', 'all namespaces');

/** Ends a command's help. */
export const examples = (...lines: readonly string[]): string =>
  `\nExample${lines.length === 1 ? '' : 's'}:\n${lines.map((line) => `  ${line}`).join('\n')}`;

/** What `-o` takes where objects are printed. */
export const OUTPUT_FORMATS =
  'wide, yaml, json, name, jsonpath=TEMPLATE, go-template=TEMPLATE or custom-columns=TITLE:PATH,...';

/** For commands that change objects. */
export const changing = (command: Command): Command =>
  command
    .option('--dry-run [mode]', 'write nothing: server (tried there) or client')
    .option('-o, --output <format>', 'print the objects as yaml, json, name or a template')
    .option('--field-manager <name>', 'who is recorded to have set the fields');

/** For commands whose objects may be chosen by what they are. */
export const selecting = (command: Command): Command =>
  command
    .option('-l, --selector <labels>', 'all objects with these labels')
    .option('--field-selector <fields>', 'all objects with these field values')
    .option('--all', 'all objects of the kind')
    // Once for each: what comes after it is what to do.
    .option('-f, --filename <path>', 'the objects of this file; may be repeated', repeated)
    .option('-R, --recursive', 'also the folders in the folders');

/** Collects an option that may be given several times. Unlike `collect`: values may hold commas. */
export const repeated = (value: string, previous: readonly string[] = []): readonly string[] => [
  ...previous,
  value,
];

/** For commands that work on the files of a server of this machine. */
export const ofServer = (command: Command): Command =>
  command
    .option('--data-dir <dir>', "the server's; default /var/lib/dhow/server")
    .option('--cluster <name>', 'a cluster made by `dhow up` on this machine');
