import { createInterface } from 'node:readline/promises';
import { Command } from 'commander';
import { lockCluster } from './cluster/lock';
import { durationMs } from './durations';
import { examine } from './machine/doctor';
import { formatFindings, standingErrors } from './output/findings';
import { initServer, type Initialized } from './machine/init';
import { joinServer, readToken } from './machine/join';
import { foundToRemove, uninstall } from './machine/uninstall';
import { outputFormat } from './output/format';
import { collect, runProgram, stopSignal } from './program';
import { examples } from './syntax/command';
import { UsageError } from './usage-error';

/** `dhow init`, `join`, `doctor` and `uninstall`: what becomes of this very machine. */
export const main = (argv: readonly string[]): Promise<number> => {
  const program = new Command('dhow');
  defineInit(program);
  defineJoin(program);
  defineDoctor(program);
  defineUninstall(program);
  return runProgram(program, argv);
};

interface StartFlags {
  readonly nodeName?: string;
  readonly ignorePreflightErrors?: readonly string[];
  readonly timeout: string;
}

const withStart = (command: Command): Command =>
  command
    .option('--node-name <name>', 'the name of the node; default the host name')
    .option(
      '--ignore-preflight-errors <checks>',
      'go on in spite of these, named as dhow doctor names them; all',
      collect,
    )
    .option('--timeout <duration>', 'how long to wait until it is ready', '5m');

interface InitFlags extends StartFlags {
  readonly advertiseAddress?: string;
  readonly listen?: string;
  readonly agent: boolean;
  readonly clusterName?: string;
}

const defineInit = (program: Command): void => {
  withStart(
    program
      .command('init')
      .description('Make this machine the first server of a cluster, and a node of it')
      .option('--advertise-address <ip>', 'where others reach it; default by the way out')
      .option('--listen <host:port>', 'where the API listens; default there, at port 6443')
      .option('--no-agent', 'run no pods here')
      .option('--cluster-name <name>', 'the name in the kubeconfig'),
  )
    .addHelpText(
      'after',
      examples(
        'sudo dhow init',
        'sudo dhow init --advertise-address 192.168.56.10    where machines have several addresses',
        'sudo dhow init --listen 0.0.0.0:6443 --no-agent     a server alone, at all addresses',
      ),
    )
    .action(async (flags: InitFlags) => {
      mustBeRoot('making a server');
      using _lock = await lockCluster(LOCK);
      const done = await initServer(
        {
          advertiseAddress: flags.advertiseAddress,
          listen: flags.listen,
          hasAgent: flags.agent,
          clusterName: flags.clusterName,
          ...startOf(flags),
        },
        say,
        stopSignal(),
      );
      process.stdout.write(tellInitialized(done));
    });
};

interface JoinFlags extends StartFlags {
  readonly tokenFile?: string;
  readonly rejoin?: boolean;
}

const defineJoin = (program: Command): void => {
  withStart(
    program
      .command('join <server>')
      .description('Make this machine a node of a server')
      .option('--token-file <file>', 'holds a join token; - for what comes in')
      .option('--rejoin', 'trade the token for a new identity, though this machine has one'),
  )
    .addHelpText(
      'after',
      examples(
        'sudo dhow join 192.168.56.10 --token-file token',
        'echo TOKEN | sudo dhow join 192.168.56.10:6443 --token-file - --node-name edge-1',
      ),
    )
    .action(async (server: string, flags: JoinFlags) => {
      mustBeRoot('joining a cluster');
      using _lock = await lockCluster(LOCK);
      const { tokenFile, rejoin = false } = flags;
      const token = tokenFile === undefined ? undefined : readToken(tokenFile);
      const { node, isReady } = await joinServer(
        server,
        { token, isAgain: rejoin, ...startOf(flags) },
        say,
        stopSignal(),
      );
      process.stdout.write(
        isReady === true ? `node ${node} is Ready\n` : `node ${node} has joined\n`,
      );
    });
};

const defineDoctor = (program: Command): void => {
  program
    .command('doctor')
    .description('Look whether this machine is fit to be a server or a node; 1 if it is not')
    .option('--role <role>', 'server, agent or both; default what it is, or both')
    .option('-o, --output <format>', 'yaml, json, name or a template')
    .addHelpText('after', examples('sudo dhow doctor', 'sudo dhow doctor --role agent -o json'))
    .action(async ({ role, output }: { role?: string; output?: string }) => {
      outputFormat(output);
      const findings = await examine(role);
      process.stdout.write(formatFindings(findings, output));
      const errors = standingErrors(findings, []);
      if (errors.length > 0)
        throw new UsageError(
          `this machine is not fit: ${errors.map(({ check }) => check).join(', ')}`,
        );
    });
};

const defineUninstall = (program: Command): void => {
  program
    .command('uninstall')
    .description('Leave this machine as it was before init or join; drain a node first')
    .option('--yes', 'do not ask')
    .option('--keep-data', 'leave /var/lib/dhow and /etc/dhow: it can be the same again')
    .addHelpText(
      'after',
      examples(
        'dhow drain NODE --ignore-daemonsets   first, from anywhere: its pods begin elsewhere before they end',
        'sudo dhow uninstall',
        'sudo dhow uninstall --yes --keep-data',
      ),
    )
    .action(async ({ yes, keepData = false }: { yes?: boolean; keepData?: boolean }) => {
      mustBeRoot('leaving a cluster');
      using _lock = await lockCluster(LOCK);
      const options = { keepsData: keepData };
      const found = await foundToRemove(options);
      process.stdout.write(
        found.length === 0
          ? 'nothing is here but the package\n'
          : `This ends and removes:\n${found.map((each) => `  ${each}\n`).join('')}`,
      );
      if (found.length > 0 && yes !== true) await mustAgree();
      await uninstall(options, say);
      process.stdout.write('done; the package itself goes by: dpkg -P dhow\n');
    });
};

/** @throws UsageError unless somebody at a terminal says yes */
const mustAgree = async (): Promise<void> => {
  if (!process.stdin.isTTY)
    throw new UsageError('nobody is there to be asked: --yes, if all of this is to go');
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question('Go on? [y/N] ');
    if (!/^y(es)?$/i.test(answer.trim())) throw new UsageError('nothing was changed');
  } finally {
    terminal.close();
  }
};

const startOf = ({ nodeName, ignorePreflightErrors = [], timeout }: StartFlags) => ({
  nodeName,
  ignored: ignorePreflightErrors,
  timeoutMs: durationMs('--timeout', timeout),
});

const tellInitialized = ({ server, joinToken, kubeconfig, node }: Initialized): string =>
  [
    `server:     https://${server}`,
    `kubeconfig: ${kubeconfig}${isUsual(kubeconfig) ? '' : `    (export KUBECONFIG=${kubeconfig})`}`,
    ...(node === undefined ? [] : [`node:       ${node} is Ready`]),
    ...(joinToken === undefined
      ? []
      : [
          '',
          'Another machine, with the package on it, becomes a node by this, within a day (dhow token create for more):',
          `  echo ${joinToken} | sudo dhow join ${server} --token-file -`,
        ]),
    '',
  ].join('\n');

const isUsual = (kubeconfig: string): boolean => kubeconfig.endsWith('/.kube/config');

const mustBeRoot = (what: string): void => {
  if (process.getuid?.() !== 0) throw new UsageError(`${what} needs root: use sudo`);
};

const say = (text: string): void => void process.stderr.write(`  ${text}\n`);

/** One at a time makes this machine what it is to be. */
const LOCK = '/run/dhow-machine.lock';
