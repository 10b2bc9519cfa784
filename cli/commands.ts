import { Command, CommanderError } from 'commander';
import { ApiError } from '../api/errors';
import { KubeconfigError } from '../client/kubeconfig';
import { describeError } from '../lib/describe-error';
import type { ApplyOptions } from './commands/apply';
import type { DeleteCommandOptions } from './commands/delete';
import type { ExecOptions } from './commands/exec';
import type { GetOptions } from './commands/get';
import type { ImportOptions } from './commands/image';
import type { LogsOptions } from './commands/logs';
import type { DecisionsOptions, WhyOptions } from './commands/why';
import { connect, type CliContext, type ConnectOptions } from './context';
import { systemTerminal, type Terminal } from './output/terminal';
import { UsageError } from './usage-error';

/** Everything that talks to a running cluster. Resolves with the exit code. */
export const main = async (argv: readonly string[]): Promise<number> => {
  const terminal = systemTerminal();
  const interrupted = new AbortController();
  process.once('SIGINT', () => interrupted.abort());
  process.once('SIGTERM', () => interrupted.abort());
  // The reader of our output has gone (`dhow logs | head`): there is nothing more to do.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
  });
  let exitCode = 0;
  const program = buildProgram(terminal, interrupted.signal, (code) => (exitCode = code));
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return interrupted.signal.aborted ? 130 : exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 1;
    if (interrupted.signal.aborted) return 130;
    terminal.err.write(`${messageOf(error)}\n`);
    return 1;
  }
};

/** As kubectl words failures, so that people and scripts find what they know. */
const messageOf = (error: unknown): string => {
  if (error instanceof ApiError) {
    if (error.reason === 'ServiceUnavailable') return error.message;
    return `Error from server (${error.reason}): ${error.message}`;
  }
  if (error instanceof UsageError || error instanceof KubeconfigError) {
    return `error: ${error.message}`;
  }
  return `error: ${describeError(error)}`;
};

type Action<A extends readonly unknown[]> = (context: CliContext, ...args: A) => Promise<unknown>;

/** A command whose modules start when it is called: `get` must not wait for what `apply` needs. */
const lazily =
  <A extends readonly unknown[]>(load: () => Promise<Action<A>>): Action<A> =>
  async (context: CliContext, ...args: A) =>
    (await load())(context, ...args);

const buildProgram = (
  terminal: Terminal,
  signal: AbortSignal,
  setExitCode: (code: number) => void,
): Command => {
  const program = new Command('dhow')
    .description('A lightweight, Kubernetes-style orchestrator that explains every placement.')
    .exitOverride()
    .enablePositionalOptions()
    .configureHelp({ sortSubcommands: false })
    .addHelpText('after', PROGRAM_EXAMPLES);

  /** Adds the options that reach a cluster, and runs `action` with a connection. */
  const connected = <A extends readonly unknown[]>(command: Command, action: Action<A>): Command =>
    command
      .option('--kubeconfig <file>', 'the cluster and user, as kubectl has them')
      .option('--context <name>', 'a context of that file')
      .option('--cluster <name>', 'a cluster made by `dhow up` on this machine')
      .option('-n, --namespace <name>', 'the namespace')
      .option('-A, --all-namespaces', 'all namespaces')
      .action(async (...args: unknown[]) => {
        // Commander passes the arguments, the options, then the command itself.
        const options = args.at(-2) as ConnectOptions;
        const context = connect(options, terminal, signal);
        try {
          const result = await action(context, ...(args.slice(0, -1) as unknown as A));
          if (typeof result === 'number') setExitCode(result);
        } finally {
          context.client.http.close();
        }
      });

  defineReading(program, connected);
  defineWriting(program, connected);
  defineExplaining(program, connected);
  defineImages(program, connected);
  defineElsewhere(program);
  return program;
};

type Connected = <A extends readonly unknown[]>(command: Command, action: Action<A>) => Command;

const defineReading = (program: Command, connected: Connected): void => {
  connected<[string[], GetOptions]>(
    program
      .command('get <kind-or-name...>')
      .description('Show objects: KIND [NAME...], KIND/NAME or KIND,KIND')
      .option('-l, --selector <labels>', 'only objects with these labels')
      .option('--field-selector <fields>', 'only objects with these field values')
      .option('-o, --output <format>', 'wide, yaml, json or name')
      .option('-w, --watch', 'go on with changes as they come')
      .option('--no-headers', 'leave the header out')
      .option('--show-labels', 'add a column of labels')
      .addHelpText('after', GET_EXAMPLES),
    lazily(async () => (await import('./commands/get.js')).get),
  );
  connected<[string[], { selector?: string }]>(
    program
      .command('describe <kind-or-name...>')
      .description('Show objects in detail, with their recent events')
      .option('-l, --selector <labels>', 'only objects with these labels'),
    lazily(async () => (await import('./commands/describe.js')).describe),
  );
  connected<[string, LogsOptions]>(
    program
      .command('logs <pod>')
      .description("Print a container's log")
      .option('-c, --container <name>', 'which container; default the first')
      .option('-f, --follow', 'go on as the log grows')
      .option('-p, --previous', 'of the container before the last restart')
      .option('--tail <lines>', 'only the last lines')
      .option('--since <duration>', 'only lines younger than this: 10s, 5m, 1h')
      .option('--timestamps', 'with the time of each line'),
    lazily(async () => (await import('./commands/logs.js')).logs),
  );
};

const defineWriting = (program: Command, connected: Connected): void => {
  connected<[ApplyOptions]>(
    program
      .command('apply')
      .description('Make the cluster be as the manifests say; refuses all if one is wrong')
      .requiredOption('-f, --filename <path...>', 'files, folders, or - for stdin')
      .option('--dry-run [mode]', 'try on the server, write nothing')
      .option('--validate <mode>', 'unknown fields: strict (refuse), warn or ignore')
      .option('-o, --output <format>', 'print the objects as yaml or json')
      .addHelpText('after', APPLY_EXAMPLES),
    lazily(async () => (await import('./commands/apply.js')).apply),
  );
  connected<[string[], DeleteCommandOptions]>(
    program
      .command('delete [kind-or-name...]')
      .description('Delete objects and wait until they are gone')
      .option('-f, --filename <path...>', 'the objects of these files')
      .option('-l, --selector <labels>', 'all objects with these labels')
      .option('--all', 'all objects of the kind')
      .option('--grace-period <seconds>', 'how long pods may take to end')
      .option('--force', 'at once, without grace')
      .option('--cascade <mode>', 'background, foreground or orphan')
      .option('--ignore-not-found', 'do not mind what is not there')
      .option('--no-wait', 'return once the deletion is accepted'),
    lazily(async () => (await import('./commands/delete.js')).deleteObjects),
  );
  connected<[string, string[], ExecOptions]>(
    program
      .command('exec <pod> [command...]')
      .description('Run a command in a container: dhow exec -it POD -- CMD')
      .option('-c, --container <name>', 'which container; default the first')
      .option('-i, --stdin', 'pass stdin on')
      .option('-t, --tty', 'with a terminal')
      .passThroughOptions(),
    async (context, pod, command, options) => {
      const words = command[0] === '--' ? command.slice(1) : command;
      if (words.length === 0) throw new UsageError('you must specify a command to run after --');
      const { exec } = await import('./commands/exec.js');
      return exec(context, pod, words, options);
    },
  );
};

const defineExplaining = (program: Command, connected: Connected): void => {
  connected<[string, WhyOptions]>(
    program
      .command('why <pod>')
      .description('Why a pod runs where it does, or what keeps it from running')
      .option('--node <name>', 'about one node: why there, or why not')
      .option('-o, --output <format>', 'yaml or json')
      .addHelpText('after', WHY_EXAMPLES),
    lazily(async () => (await import('./commands/why.js')).why),
  );
  connected<[DecisionsOptions]>(
    program
      .command('decisions')
      .description("The scheduler's latest decisions")
      .option('-w, --watch', 'go on as decisions are made')
      .option('-o, --output <format>', 'yaml or json'),
    lazily(async () => (await import('./commands/why.js')).decisions),
  );
};

const defineImages = (program: Command, connected: Connected): void => {
  const image = program.command('image').description("The images that the cluster's nodes can use");
  connected<[string, ImportOptions]>(
    image
      .command('import <path>')
      .description(
        'Bring in a docker or OCI archive, an OCI layout, or with --rootfs a tar of files',
      )
      .option('--rootfs', 'the tar holds plain files: make a one-layer image of them')
      .option('-t, --tag <reference>', 'the name of the image; required with --rootfs')
      .addHelpText('after', IMAGE_EXAMPLES),
    lazily(async () => (await import('./commands/image.js')).importImages),
  );
  connected<[{ output?: string }]>(
    image
      .command('ls')
      .description('List the images')
      .option('-o, --output <format>', 'yaml or json'),
    lazily(async () => (await import('./commands/image.js')).listImages),
  );
};

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

const PROGRAM_EXAMPLES = `
Examples:
  dhow up --nodes 3              start a cluster on this machine
  dhow apply -f manifests/       run something
  dhow get pods -o wide          see where it runs
  dhow why pod/web-1             see why it runs there
  dhow down                      remove everything`;

const GET_EXAMPLES = `
Examples:
  dhow get pods -A -o wide       all pods with node and address
  dhow get deploy,rs -l app=web  two kinds by label
  dhow get pod web-1 -o yaml     one object in full
  dhow get pods -w               changes as they come`;

const APPLY_EXAMPLES = `
Examples:
  dhow apply -f app.yaml         one file
  dhow apply -f manifests/       all files of a folder
  cat app.yaml | dhow apply -f - from stdin
  dhow apply -f app.yaml --dry-run`;

const WHY_EXAMPLES = `
Examples:
  dhow why pod/web-1             why here, who was second, which plugin decided
  dhow why web-1 --node node-2   why (not) on this node`;

const IMAGE_EXAMPLES = `
Examples:
  dhow image import app.tar                    docker save or skopeo copy docker-archive:
  dhow image import layout/ -t app:1           an OCI layout
  dhow image import files.tar.gz --rootfs -t tools:1`;
