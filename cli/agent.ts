import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { bytesOf } from '../api/quantity';
import { systemClock } from '../lib/clock';
import { describeError } from '../lib/describe-error';
import { parseAgentConfig, runAgent, type AgentConfig } from '../node-agent';
import { IdentityStore } from '../node-agent/identity/identity-store';
import { requireOption, withConfigFile } from './config-file';
import { durationMs } from './durations';
import { collect, logLevel, powerSignal, runProgram, stopSignal, wholeNumber } from './program';
import { serviceManager } from './service-manager';
import { examples } from './syntax/command';
import { UsageError } from './usage-error';

/** `dhow agent`: one node in the foreground. Its containers run on when it ends. */
export const main = (argv: readonly string[]): Promise<number> =>
  runProgram(agentProgram(), argv.slice(1));

export const agentProgram = (): Command => {
  const program = new Command('dhow agent')
    .description('Run a node: joins a server and runs the pods that it is given')
    .option(
      '--server <host:port>',
      "a server's API address; required. More are tried when it does not answer",
      collect,
    )
    .option('--token-file <file>', 'holds the join token; needed the first time')
    .option('--token <token>', 'the join token itself; every user of the machine can see it')
    .option('--name <name>', 'the name of the node; default the host name')
    .option('--state-dir <dir>', 'what survives a reboot; default /var/lib/dhow/agent')
    .option('--run-dir <dir>', 'on tmpfs; default /run/dhow/agent')
    .option('--address <ip>', 'where other nodes reach this one; IP,IP: one of each family')
    .option('--label <key=value>', 'a label of the node', collect)
    .option('--taint <key=value:effect>', 'a taint of the node', collect)
    .option('--cgroup-parent <path>', 'parent of all pod cgroups; default dhow')
    .option('--interface-prefix <letters>', 'start of the names of its network interfaces')
    .option(
      '--nodeport-addresses <cidr>',
      "of the node's addresses, those that have node ports; default all but loopback",
      collect,
    )
    .option('--max-pods <n>', 'default 110', wholeNumber('--max-pods'))
    .option(
      '--restart-backoff-max <seconds>',
      'longest wait of a container that keeps ending; default 300',
      wholeNumber('--restart-backoff-max'),
    )
    .option('--pod-manifest-path <dir>', 'run the pods that its files describe, too')
    .option('--system-reserved <resource=amount>', "kept from pods for the system's own", collect)
    .option('--kube-reserved <resource=amount>', "kept from pods for Dhow's own", collect)
    .option('--eviction-hard <signal<amount>', 'evict pods at once below it', collect)
    .option('--eviction-soft <signal<amount>', 'evict pods when it is less for a while', collect)
    .option('--eviction-soft-grace-period <signal=duration>', 'that while', collect)
    .option('--eviction-minimum-reclaim <signal=amount>', 'so much more is to be there', collect)
    .option(
      '--eviction-pressure-transition-period <duration>',
      'a node stays under pressure for so long after; default 5m',
    )
    .option(
      '--eviction-max-pod-grace-period <seconds>',
      'longest grace of a pod that a soft threshold evicts; default 0',
      wholeNumber('--eviction-max-pod-grace-period'),
    )
    .option('--resolv-conf <file>', 'names other DNS servers; default /etc/resolv.conf')
    .option(
      '--tracing-config-file <file>',
      'a TracingConfiguration: send spans to a collector; default: nothing is traced',
    )
    .option('--insecure-registry <host>', 'pull from it without TLS', collect)
    .addOption(logLevel('what to log'))
    .addHelpText('after', EXAMPLES)
    .action(async (_options, command: Command) => {
      requireOption(command, 'server');
      if (process.getuid?.() !== 0) throw new UsageError('containers need root: use sudo');
      const config = configOf(command.opts<Flags>());
      checkJoined(parseAgentConfig(config));
      const signal = stopSignal();
      const manager = await serviceManager(systemClock, signal);
      await runAgent(config, signal, powerSignal(), () => manager?.ready());
    });
  const whole = MORE_FLAGS.reduce((part, withMore) => withMore(part), program);
  return withConfigFile(whole, '/etc/dhow/agent.yaml');
};

const withRuntimeHandlers = (program: Command): Command =>
  program.option(
    '--runtime-handler <name=path>',
    'have this program, as runc, run pods of classes with this handler: NAME=PATH[,--FLAG...]; runc, crun and runsc are found where they are installed',
    collect,
  );

const withShutdown = (program: Command): Command =>
  program
    .option(
      '--shutdown-grace-period <duration>',
      'time of all pods to end when the machine goes down (SIGPWR); default 0',
    )
    .option('--shutdown-grace-period-critical-pods <duration>', 'of it, for critical pods')
    .option(
      '--shutdown-grace-period-by-pod-priority <priority=duration>',
      'instead of both: time of the pods from a priority on',
      collect,
    );

const withDevices = (program: Command): Command =>
  program
    .option(
      '--devices <resource=cdi-device,…>',
      'count CDI devices as devices.dhow.dev/NAME, which pods may ask for',
      collect,
    )
    .option('--reserved-cpus <list>', 'kept from pods, as 0-1,6, instead of their amount')
    .option(
      '--cpu-manager-policy <policy>',
      'static: whole processors for guaranteed pods that ask for such; default none',
    );

const withNetworkPlugin = (program: Command): Command =>
  program
    .addOption(
      new Option('--network-plugin <name>', 'who connects pods; default native').choices([
        'native',
        'cni',
      ]),
    )
    .option('--cni-conf-dir <dir>', 'holds the CNI network; default /etc/cni/net.d')
    .option(
      '--cni-bin-dir <dirs>',
      'hold CNI plugins; default $CNI_PATH, or /opt/cni/bin:/usr/lib/cni',
    )
    .addOption(
      new Option(
        '--node-encryption <name>',
        'of packets between pods of different nodes, on all nodes or none; default none',
      ).choices(['none', 'wireguard']),
    )
    .option(
      '--wireguard-port <port>',
      'of UDP, where those of other nodes come in; default 51820',
      wholeNumber('--wireguard-port'),
    );

const withLogs = (program: Command): Command =>
  program
    .option(
      '--log-dir <dir>',
      "where log collectors look, in its folders pods and containers; default /var/log for a machine's own agent",
    )
    .option('--container-log-max-size <amount>', 'of one log file; default 10Mi')
    .option(
      '--container-log-max-files <n>',
      'of one container, at least 2; default 5',
      wholeNumber('--container-log-max-files'),
    );

const withIngressPorts = (program: Command): Command =>
  program
    .option(
      '--ingress-http-port <port>',
      'serve ingresses there at its address; 0: do not; default 80',
      wholeNumber('--ingress-http-port'),
    )
    .option(
      '--ingress-https-port <port>',
      'the same with TLS; default 443',
      wholeNumber('--ingress-https-port'),
    );

interface Flags {
  readonly server: readonly string[];
  readonly token?: string;
  readonly tokenFile?: string;
  readonly name?: string;
  readonly stateDir?: string;
  readonly logDir?: string;
  readonly runDir?: string;
  readonly address?: string;
  readonly label?: readonly string[];
  readonly taint?: readonly string[];
  readonly cgroupParent?: string;
  readonly interfacePrefix?: string;
  readonly nodeportAddresses?: readonly string[];
  readonly networkPlugin?: 'native' | 'cni';
  readonly nodeEncryption?: 'none' | 'wireguard';
  readonly wireguardPort?: number;
  readonly cniConfDir?: string;
  readonly cniBinDir?: string;
  readonly maxPods?: number;
  readonly restartBackoffMax?: number;
  readonly podManifestPath?: string;
  readonly shutdownGracePeriod?: string;
  readonly shutdownGracePeriodCriticalPods?: string;
  readonly shutdownGracePeriodByPodPriority?: readonly string[];
  readonly containerLogMaxSize?: string;
  readonly containerLogMaxFiles?: number;
  readonly systemReserved?: readonly string[];
  readonly kubeReserved?: readonly string[];
  readonly devices?: readonly string[];
  readonly reservedCpus?: string;
  readonly cpuManagerPolicy?: string;
  readonly evictionHard?: readonly string[];
  readonly evictionSoft?: readonly string[];
  readonly evictionSoftGracePeriod?: readonly string[];
  readonly evictionMinimumReclaim?: readonly string[];
  readonly evictionPressureTransitionPeriod?: string;
  readonly evictionMaxPodGracePeriod?: number;
  readonly ingressHttpPort?: number;
  readonly ingressHttpsPort?: number;
  readonly insecureRegistry?: readonly string[];
  readonly runtimeHandler?: readonly string[];
  readonly resolvConf?: string;
  readonly tracingConfigFile?: string;
  readonly logLevel?: string;
}

const configOf = (flags: Flags) => ({
  server: flags.server[0],
  moreServers: flags.server.slice(1),
  token: flags.token ?? readTokenFile(flags.tokenFile),
  nodeName: flags.name,
  stateDir: flags.stateDir,
  runDir: flags.runDir,
  nodeAddress: flags.address,
  labels: Object.fromEntries((flags.label ?? []).map(parseLabel)),
  taints: (flags.taint ?? []).map(parseTaint),
  cgroupParent: flags.cgroupParent,
  interfacePrefix: flags.interfacePrefix,
  nodePortAddresses: flags.nodeportAddresses,
  networkPlugin: flags.networkPlugin,
  nodeEncryption: flags.nodeEncryption,
  wireguardPort: flags.wireguardPort,
  cniConfDir: flags.cniConfDir,
  cniBinDirs: foldersIn(flags.cniBinDir ?? process.env['CNI_PATH']),
  maxPods: flags.maxPods,
  restartBackoffMaxMs:
    flags.restartBackoffMax === undefined ? undefined : flags.restartBackoffMax * 1000,
  podManifestPath: flags.podManifestPath,
  shutdownGraceMs: periodOf('--shutdown-grace-period', flags.shutdownGracePeriod),
  shutdownGraceCriticalMs: periodOf(
    '--shutdown-grace-period-critical-pods',
    flags.shutdownGracePeriodCriticalPods,
  ),
  shutdownGraceByPriority: flags.shutdownGracePeriodByPodPriority?.map(parseStep),
  // Of several agents on a machine each has a folder of its own, and its logs there.
  logDir: flags.logDir ?? (flags.stateDir === undefined ? '/var/log' : undefined),
  logMaxBytes: bytesFlag('--container-log-max-size', flags.containerLogMaxSize),
  logMaxFiles: flags.containerLogMaxFiles,
  systemReserved: pairs('--system-reserved', '=', flags.systemReserved),
  kubeReserved: pairs('--kube-reserved', '=', flags.kubeReserved),
  devices: devicesOf(flags.devices),
  reservedCpus: flags.reservedCpus,
  cpuManagerPolicy: flags.cpuManagerPolicy,
  evictionHard: pairs('--eviction-hard', '<', flags.evictionHard),
  evictionSoft: pairs('--eviction-soft', '<', flags.evictionSoft),
  evictionSoftGracePeriodMs: periodsOf(flags.evictionSoftGracePeriod),
  evictionMinimumReclaim: pairs('--eviction-minimum-reclaim', '=', flags.evictionMinimumReclaim),
  evictionPressureTransitionMs: periodOf(
    '--eviction-pressure-transition-period',
    flags.evictionPressureTransitionPeriod,
  ),
  evictionMaxPodGraceSeconds: flags.evictionMaxPodGracePeriod,
  insecureRegistries: flags.insecureRegistry,
  runtimeHandlers: flags.runtimeHandler,
  registryEndpoints: flags.server.map((each) => `https://${each.replace(/^https:\/\//, '')}`),
  launcherPath: join(__dirname, 'dhow-launcher'),
  unpackWorkerPath: join(__dirname, 'unpack-worker.js'),
  meterWorkerPath: join(__dirname, 'meter-worker.js'),
  ingressHttpPort: flags.ingressHttpPort,
  ingressHttpsPort: flags.ingressHttpsPort,
  ingressPath: join(__dirname, 'ingress-proxy.js'),
  resolverPath: join(__dirname, 'dns-resolver.js'),
  resolvConf: flags.resolvConf === undefined ? undefined : resolve(flags.resolvConf),
  tracingConfigFile: flags.tracingConfigFile,
  logLevel: flags.logLevel,
});

/** Before anything is made or said: a node that never joined cannot run without a token. */
const checkJoined = ({ token, stateDir }: AgentConfig): void => {
  if (token !== undefined || new IdentityStore(stateDir).load() !== undefined) return;
  throw new UsageError(
    `no node has joined a cluster from ${stateDir}: give --token-file with the server's join token ` +
      '(DIR/join-token in its --data-dir)',
  );
};

const readTokenFile = (path: string | undefined): string | undefined => {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new UsageError(`--token-file: ${describeError(error)}`);
  }
};

/** `memory.available<1Gi`; none at all is what `''` says. @throws UsageError in upstream's words */
const pairs = (flag: string, separator: '<' | '=', given: readonly string[] | undefined) => {
  if (given === undefined) return undefined;
  return Object.fromEntries(
    given.map((text): [string, string] => {
      const [key = '', value] = text.split(separator, 2);
      if (value === undefined)
        throw new UsageError(`${flag}: malformed pair, expect string${separator}string: "${text}"`);
      return [key.trim(), value.trim()];
    }),
  );
};

/** `devices.dhow.dev/gpu=vendor.com/gpu=0,vendor.com/gpu=1` */
const devicesOf = (given: readonly string[] = []): Readonly<Record<string, readonly string[]>> =>
  Object.fromEntries(
    given.map((text) => {
      const equals = text.indexOf('=');
      if (equals < 1) throw new UsageError(`--devices: "${text}" is not RESOURCE=DEVICE,DEVICE`);
      return [text.slice(0, equals), text.slice(equals + 1).split(',')];
    }),
  );

const bytesFlag = (flag: string, text: string | undefined): number | undefined => {
  try {
    return text === undefined ? undefined : bytesOf(text);
  } catch (error) {
    throw new UsageError(`${flag}: ${describeError(error)}`);
  }
};

const periodOf = (flag: string, text: string | undefined): number | undefined =>
  text === undefined ? undefined : durationMs(flag, text);

const parseStep = (text: string) => {
  const flag = '--shutdown-grace-period-by-pod-priority';
  const [, priority, duration = ''] = /^(-?\d{1,10})=(.+)$/.exec(text) ?? [];
  if (priority === undefined) throw new UsageError(`${flag}: "${text}" is not PRIORITY=DURATION`);
  return { priority: Number(priority), graceMs: durationMs(flag, duration) };
};

const periodsOf = (given: readonly string[] | undefined) => {
  const flag = '--eviction-soft-grace-period';
  const texts = Object.entries(pairs(flag, '=', given) ?? {});
  return Object.fromEntries(texts.map(([signal, text]) => [signal, durationMs(flag, text)]));
};

const parseLabel = (text: string): [string, string] => {
  const equals = text.indexOf('=');
  if (equals < 1) throw new UsageError(`--label: "${text}" is not KEY=VALUE`);
  return [text.slice(0, equals), text.slice(equals + 1)];
};

const parseTaint = (text: string) => {
  const match = /^([^=:]+)(?:=([^:]*))?:(NoSchedule|PreferNoSchedule|NoExecute)$/.exec(text);
  const [, key = '', value, effect = ''] = match ?? [];
  if (match === null) throw new UsageError(`--taint: "${text}" is not KEY[=VALUE]:EFFECT`);
  return { key, ...(value === undefined ? {} : { value }), effect };
};

const EXAMPLES = examples(
  'dhow agent --server 10.0.0.1:6443 --token-file join-token',
  'dhow agent --server 10.0.0.1:6443 --name edge-1 --label zone=a --taint dedicated=db:NoSchedule',
);

/** As in `CNI_PATH`. */
const foldersIn = (path: string | undefined): readonly string[] | undefined =>
  path === undefined || path === '' ? undefined : path.split(':').filter((each) => each !== '');

/** In the order of the help. */
const MORE_FLAGS: readonly ((program: Command) => Command)[] = [
  withShutdown,
  withLogs,
  withIngressPorts,
  withDevices,
  withRuntimeHandlers,
  withNetworkPlugin,
];
