import { setMaxListeners } from 'node:events';
import { Command, CommanderError } from 'commander';
import { systemClock } from '../lib/clock';
import { hasReason } from '../api/errors';
import { withPlainFlags } from './boolean-flags';
import { connect, type CliContext, type ConnectOptions } from './context';
import { messageOf } from './message';
import { withTemplate } from './output/template-flag';
import { systemTerminal, type Terminal } from './output/terminal';
import { verbElsewhere } from './not-served';
import { codeOfStop, hintAt, Stopped } from './program';
import { UsageError } from './usage-error';
import {
  examples,
  type Action,
  type Connected,
  type Define,
  type Local,
  type LocalAction,
} from './syntax/command';
import { withConnection } from './syntax/connection';

/** Everything that talks to a running cluster. Resolves with the exit code. */
export const main = async (argv: readonly string[]): Promise<number> => {
  const terminal = systemTerminal();
  const interrupted = new AbortController();
  // As many requests as there are kinds may be under way, and each listens.
  setMaxListeners(0, interrupted.signal);
  const aborted = new Promise<number>((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) {
      process.once(name, () => {
        interrupted.abort(new Stopped(name));
        // A command gets a moment to put the terminal in order; one that waits for input has none.
        const code = codeOfStop(interrupted.signal.reason);
        void systemClock.sleep(INTERRUPT_GRACE_MS).then(() => resolve(code));
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
  const failureCode = FAILURE_CODES.get(argv[0] ?? '') ?? 1;
  if (argv[0] === '__complete') {
    const { complete } = await import('./completion/complete.js');
    const programOf = (command: string | undefined) =>
      buildProgram(command, terminal, signal, () => undefined);
    await complete(argv.slice(1), programOf, terminal, signal);
    return 0;
  }
  const elsewhere = verbElsewhere(argv[0] ?? '');
  if (elsewhere !== undefined) {
    terminal.err.write(`error: ${elsewhere}\n`);
    return 1;
  }
  try {
    const program = await buildProgram(argv[0], terminal, signal, (code) => (exitCode = code));
    const words = isUnknown(argv[0]) ? [argv[0]] : withPlainFlags(program, argv);
    await program.parseAsync(words, { from: 'user' });
    return signal.aborted ? codeOfStop(signal.reason) : exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : failureCode;
    if (signal.aborted) return codeOfStop(signal.reason);
    terminal.err.write(`${messageOf(error)}\n`);
    return failureCode;
  }
};

/** Of commands that say something else by 1. */
const FAILURE_CODES: ReadonlyMap<string, number> = new Map([['diff', 2]]);

const buildProgram = async (
  command: string | undefined,
  terminal: Terminal,
  signal: AbortSignal,
  setExitCode: (code: number) => void,
): Promise<Command> => {
  const program = new Command('dhow')
    .description('A lightweight, Kubernetes-style orchestrator that explains every placement.')
    .exitOverride()
    // An option after a subcommand is the subcommand's, also where its parent has one of that name.
    .enablePositionalOptions()
    .helpCommand(false)
    .configureHelp({ sortSubcommands: false })
    .addHelpText('after', PROGRAM_EXAMPLES);
  hintAt(program);
  const connected = connectedTo(terminal, signal, setExitCode);
  const local = localTo(terminal, setExitCode);
  const load = DEFINITIONS.get(command ?? '');
  if (load !== undefined) (await load())(program, connected, local);
  else {
    for (const each of DEFINITIONS.values()) (await each())(program, connected, local);
    defineElsewhere(program);
  }
  return program;
};

const connectedTo =
  (terminal: Terminal, signal: AbortSignal, setExitCode: (code: number) => void): Connected =>
  <A extends readonly unknown[]>(command: Command, action: Action<A>) =>
    withTemplate(withConnection(hintAt(command))).action(async (...args: unknown[]) => {
      // Commander passes the arguments, the options, then the command itself.
      const context = await connect(args.at(-2) as ConnectOptions, terminal, signal);
      const result = await action(context, ...(args.slice(0, -1) as unknown as A)).catch(
        async (error: unknown) => {
          throw (await stoppedCluster(context, error)) ?? error;
        },
      );
      if (typeof result === 'number') setExitCode(result);
    });

const localTo =
  (terminal: Terminal, setExitCode: (code: number) => void): Local =>
  <A extends readonly unknown[]>(command: Command, action: LocalAction<A>) =>
    withTemplate(hintAt(command))
      .option('--kubeconfig <file>', 'this file, and not the one that is found')
      .action(async (...args: unknown[]) => {
        const result = await action(terminal, ...(args.slice(0, -1) as unknown as A));
        if (typeof result === 'number') setExitCode(result);
      });

/** That nobody answers has a plain reason where the cluster is of this machine and does not run. */
const stoppedCluster = async (
  { cluster }: CliContext,
  error: unknown,
): Promise<UsageError | undefined> => {
  if (cluster === undefined || !hasReason(error, 'ServiceUnavailable')) return undefined;
  const { pathsOf, processesOf } = await import('./cluster/record.js');
  const pid = await processesOf(pathsOf(cluster)).pidOf('server');
  return pid === undefined
    ? new UsageError(`cluster ${cluster} is stopped: dhow up --name ${cluster}`)
    : undefined;
};

const reading = () => import('./syntax/reading.js');
const inside = () => import('./syntax/inside.js');
const writing = () => import('./syntax/writing.js');
const changing = () => import('./syntax/changing.js');
const nodes = () => import('./syntax/nodes.js');
const explaining = () => import('./syntax/explaining.js');

/** In the order of the help. Each is loaded when it is called: `get` must not wait for all others. */
const DEFINITIONS: ReadonlyMap<string, () => Promise<Define>> = new Map([
  ['get', async () => (await reading()).defineGet],
  ['explain', async () => (await reading()).defineExplain],
  ['events', async () => (await reading()).defineEvents],
  ['describe', async () => (await reading()).defineDescribe],
  ['logs', async () => (await reading()).defineLogs],
  ['top', async () => (await import('./syntax/top.js')).defineTop],
  ['secrets', async () => (await import('./syntax/secrets.js')).defineSecrets],
  ['apply', async () => (await writing()).defineApply],
  ['diff', async () => (await writing()).defineDiff],
  ['create', async () => (await import('./syntax/create.js')).defineCreate],
  ['replace', async () => (await writing()).defineReplace],
  ['edit', async () => (await writing()).defineEdit],
  ['delete', async () => (await writing()).defineDelete],
  ['run', async () => (await inside()).defineRun],
  ['exec', async () => (await inside()).defineExec],
  ['attach', async () => (await inside()).defineAttach],
  ['cp', async () => (await inside()).defineCp],
  ['port-forward', async () => (await inside()).definePortForward],
  ['label', async () => (await changing()).defineLabel],
  ['annotate', async () => (await changing()).defineAnnotate],
  ['expose', async () => (await changing()).defineExpose],
  ['scale', async () => (await changing()).defineScale],
  ['autoscale', async () => (await changing()).defineAutoscale],
  ['rollout', async () => (await import('./syntax/rollout.js')).defineRollout],
  ['wait', async () => (await import('./syntax/waiting.js')).defineWait],
  ['set', async () => (await import('./syntax/set.js')).defineSet],
  ['patch', async () => (await changing()).definePatch],
  ['cordon', async () => (await nodes()).defineCordon],
  ['uncordon', async () => (await nodes()).defineUncordon],
  ['drain', async () => (await nodes()).defineDrain],
  ['taint', async () => (await nodes()).defineTaint],
  ['why', async () => (await explaining()).defineWhy],
  ['why-blocked', async () => (await explaining()).defineWhyBlocked],
  ['inspect-isolation', async () => (await explaining()).defineInspectIsolation],
  ['replay', async () => (await explaining()).defineReplay],
  ['rebalance', async () => (await explaining()).defineRebalance],
  ['scheduler', async () => (await explaining()).defineScheduler],
  ['plan', async () => (await explaining()).definePlan],
  ['timeline', async () => (await explaining()).defineTimeline],
  ['tree', async () => (await explaining()).defineTree],
  ['auth', async () => (await import('./syntax/server.js')).defineAuth],
  ['cluster-info', async () => (await import('./syntax/server.js')).defineClusterInfo],
  ['api-resources', async () => (await import('./syntax/server.js')).defineApiResources],
  ['api-versions', async () => (await import('./syntax/server.js')).defineApiVersions],
  ['decisions', async () => (await explaining()).defineDecisions],
  ['token', async () => (await import('./syntax/token.js')).defineToken],
  ['config', async () => (await import('./syntax/config.js')).defineConfig],
  ['image', async () => (await import('./syntax/images.js')).defineImage],
  ['options', async () => (await import('./syntax/connection.js')).defineOptions],
  ['completion', async () => (await import('./syntax/completion.js')).defineCompletion],
]);

/** A word that is no command: its options, `--help` too, are not looked at. */
const isUnknown = (word: string | undefined): word is string =>
  word !== undefined && !word.startsWith('-') && !DEFINITIONS.has(word);

/** Commands of the other bundles: here for `dhow --help` only. */
const defineElsewhere = (program: Command): void => {
  const elsewhere: readonly (readonly [string, string])[] = [
    ['up', 'Start a cluster of several nodes on this machine'],
    ['down', 'Stop a cluster of this machine and remove all of it'],
    ['status', 'Show the clusters of this machine and whether they are well'],
    ['kubeconfig', "Print a cluster's kubeconfig"],
    ['init', 'Make this machine the first server of a cluster'],
    ['join', 'Make this machine a node'],
    ['doctor', 'Look whether this machine is fit for that'],
    ['uninstall', 'Remove what init and join have made here'],
    ['lab', 'Break nodes of a cluster of this machine on purpose, and heal them'],
    ['etcd', "Save and restore a cluster, on its server's machine"],
    ['certs', 'Show the certificates of this machine, and replace those of a server'],
    ['upgrade', 'Look whether anything stands in the way of another version'],
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
