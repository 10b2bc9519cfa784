import { Command, CommanderError } from 'commander';
import { systemClock } from '../lib/clock';
import { connect, type ConnectOptions } from './context';
import { messageOf } from './message';
import { systemTerminal, type Terminal } from './output/terminal';
import { hintAt, INTERRUPTED } from './program';
import { examples, type Action, type Connected } from './syntax/command';
import { defineDecisions, defineWhy } from './syntax/explaining';
import { defineImage } from './syntax/images';
import { defineDescribe, defineGet, defineLogs } from './syntax/reading';
import { defineApply, defineDelete, defineExec } from './syntax/writing';

/** Everything that talks to a running cluster. Resolves with the exit code. */
export const main = async (argv: readonly string[]): Promise<number> => {
  const terminal = systemTerminal();
  // The reader of our output has gone (`dhow logs | head`): there is nothing more to do.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
  });
  const interrupted = new AbortController();
  const aborted = new Promise<number>((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) {
      process.once(name, () => {
        interrupted.abort();
        // A command gets a moment to put the terminal in order; one that waits for input has none.
        void systemClock.sleep(INTERRUPT_GRACE_MS).then(() => resolve(INTERRUPTED));
      });
    }
  });
  return Promise.race([run(argv, terminal, interrupted.signal), aborted]);
};

const run = async (
  argv: readonly string[],
  terminal: Terminal,
  signal: AbortSignal,
): Promise<number> => {
  let exitCode = 0;
  try {
    const program = buildProgram(argv[0], terminal, signal, (code) => (exitCode = code));
    await program.parseAsync([...argv], { from: 'user' });
    return signal.aborted ? INTERRUPTED : exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 1;
    if (signal.aborted) return INTERRUPTED;
    terminal.err.write(`${messageOf(error)}\n`);
    return 1;
  }
};

const buildProgram = (
  command: string | undefined,
  terminal: Terminal,
  signal: AbortSignal,
  setExitCode: (code: number) => void,
): Command => {
  const program = new Command('dhow')
    .description('A lightweight, Kubernetes-style orchestrator that explains every placement.')
    .exitOverride()
    .helpCommand(false)
    .configureHelp({ sortSubcommands: false })
    .addHelpText('after', PROGRAM_EXAMPLES);
  hintAt(program);
  const connected = connectedTo(terminal, signal, setExitCode);
  const define = DEFINITIONS.get(command ?? '');
  if (define !== undefined) define(program, connected);
  else {
    for (const each of DEFINITIONS.values()) each(program, connected);
    defineElsewhere(program);
  }
  return program;
};

const connectedTo =
  (terminal: Terminal, signal: AbortSignal, setExitCode: (code: number) => void): Connected =>
  <A extends readonly unknown[]>(command: Command, action: Action<A>) =>
    hintAt(command)
      .option('--kubeconfig <file>', 'the cluster and user, as kubectl has them')
      .option('--context <name>', 'a context of that file')
      .option('--cluster <name>', 'a cluster made by `dhow up` on this machine')
      .action(async (...args: unknown[]) => {
        // Commander passes the arguments, the options, then the command itself.
        const context = await connect(args.at(-2) as ConnectOptions, terminal, signal);
        const result = await action(context, ...(args.slice(0, -1) as unknown as A));
        if (typeof result === 'number') setExitCode(result);
      });

const DEFINITIONS: ReadonlyMap<string, (program: Command, connected: Connected) => void> = new Map([
  ['get', defineGet],
  ['describe', defineDescribe],
  ['logs', defineLogs],
  ['apply', defineApply],
  ['delete', defineDelete],
  ['exec', defineExec],
  ['why', defineWhy],
  ['decisions', defineDecisions],
  ['image', defineImage],
]);

/** Commands of the other bundles: here for `dhow --help` only. */
const defineElsewhere = (program: Command): void => {
  const elsewhere: readonly (readonly [string, string])[] = [
    ['up', 'Start a cluster of several nodes on this machine'],
    ['down', 'Stop a cluster of this machine and remove all of it'],
    ['status', 'Show the clusters of this machine and whether they are well'],
    ['kubeconfig', "Print a cluster's kubeconfig"],
    ['server', 'Run a control plane'],
    ['agent', 'Run a node'],
    ['version', 'Print the version'],
  ];
  for (const [name, description] of elsewhere) program.command(name).description(description);
};

const PROGRAM_EXAMPLES = examples(
  'dhow up --nodes 3              start a cluster on this machine',
  'dhow apply -f manifests/       run something',
  'dhow get pods -o wide          see where it runs',
  'dhow why pod/web-1             see why it runs there',
  'dhow down                      remove everything',
  'dhow get --help                more of a command',
);

const INTERRUPT_GRACE_MS = 300;
