import { hostname } from 'node:os';
import { z } from 'zod';

import { amountsOf } from '../api/pods';
import { describeError } from '../lib/log';
import { qualifiedNameProblems } from '../api/names';
import { isCdiName } from './devices/cdi';
import { parseCpuList } from './cpus/cpu-list';
import { parseRuntimeHandler } from './runtime-handlers';
import { DEFAULT_EVICTION_HARD, parseThresholds } from './eviction/thresholds';
import { problemOfReservation } from './node/reserved';
import { shutdownSteps } from './shutdown/plan';
import { familyOf } from '../lib/net/ip';
import { isLabelForNodes } from '../api/node-restriction';

const port = z.number().int().min(1).max(65_535);
const label = z.string().max(63);
/** The server would leave out what a node may not give itself: its operator is told at start. */
const labels = z.record(z.string(), label).superRefine((given, context) => {
  for (const key of Object.keys(given))
    if (!isLabelForNodes(key))
      context.addIssue({
        code: 'custom',
        message: `label ${key} is not for nodes to give themselves: use kubectl label node`,
      });
});

const quantities = z.record(z.string(), z.string());
const reservation = quantities.default({}).superRefine((given, context) => {
  for (const [name, text] of Object.entries(given)) {
    const message = problemOfReservation(name, text);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  }
});

type CpuManagerPolicy = 'none' | 'static';

const cpuList = z.string().superRefine((text, context) => {
  try {
    parseCpuList(text);
  } catch (error) {
    const message = `unable to parse the CPUs to reserve: ${describeError(error)}`;
    context.addIssue({ code: 'custom', message });
  }
});

const checkDevices = (
  given: Readonly<Record<string, readonly string[]>>,
  context: z.RefinementCtx,
): void => {
  for (const [resource, names] of Object.entries(given)) {
    const problems = qualifiedNameProblems(resource).concat(
      resource.startsWith(DEVICES_DOMAIN) ? [] : [`not in ${DEVICES_DOMAIN}`],
      names.filter((name) => !isCdiName(name)).map((name) => `"${name}" is not VENDOR/CLASS=NAME`),
      new Set(names).size < names.length ? ['a device is counted twice'] : [],
    );
    for (const problem of problems)
      context.addIssue({ code: 'custom', message: `devices ${resource}: ${problem}` });
  }
};

const DEVICES_DOMAIN = 'devices.dhow.dev/';

const runtimeHandlers = z.array(z.string()).superRefine((given, context) => {
  const names = new Set<string>();
  for (const [index, text] of given.entries()) {
    const name = parseRuntimeHandler(text)?.name;
    const message =
      name === undefined
        ? `"${text}" is not NAME=PATH[,--FLAG...], with a DNS label other than dhow and an absolute path`
        : `two are named "${name}"`;
    if (name === undefined) context.addIssue({ code: 'custom', message, path: [index] });
    else if (names.has(name)) context.addIssue({ code: 'custom', message });
    else names.add(name);
  }
});

const isNodeAddress = (text: string): boolean => {
  const families = text.split(',').map(familyOf);
  return !families.includes(undefined) && new Set(families).size === families.length;
};

/** What an agent is told at start; every field has a default but the server. */
const agentConfigSchema = z.object({
  /** Host name or address of the server; a scheme and a port are ignored. */
  server: z.string().min(1),
  /** Further ones: each is tried when those before it do not answer. */
  moreServers: z.array(z.string().min(1)).max(63).default([]),
  /** `dhow1:...`; needed until the node has its certificate. */
  token: z.string().optional(),
  /** Overrides the port in the token. */
  agentsPort: port.optional(),
  nodeName: z.string().default(() => hostname().toLowerCase()),
  /** Survives reboots: identity, images, logs, disk volumes. */
  stateDir: z.string().default('/var/lib/dhow/agent'),
  /** On tmpfs: checkpoint, secrets, runtime state. */
  runDir: z.string().default('/run/dhow/agent'),
  /** Address, or one of each IP family, that other nodes reach this one by; default: that of the interface that routes to the server. */
  nodeAddress: z
    .string()
    .refine(isNodeAddress, 'an IP address, or one of each family, joined by a comma')
    .optional(),
  labels: labels.default({}),
  taints: z
    .array(
      z.object({
        key: z.string().min(1),
        value: z.string().optional(),
        effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']),
      }),
    )
    .default([]),
  /** Parent of all pod cgroups, relative to the cgroup root. */
  cgroupParent: z.string().default('dhow'),
  /** Kept from pods, for the system's and for Kubernetes' own: quantities by the names of resources. */
  systemReserved: reservation,
  kubeReserved: reservation,
  /** `static`: whole processors for containers that are guaranteed them. */
  cpuManagerPolicy: z
    .string()
    .default('none')
    .refine((text): text is CpuManagerPolicy => text === 'none' || text === 'static', {
      error: ({ input }) => `unknown policy: "${String(input)}"`,
    }),
  /** Processors as the kernel lists them, instead of the `cpu` of both reservations. */
  reservedCpus: cpuList.default(''),
  /** Upstream's thresholds, by signal. */
  evictionHard: quantities.default({ ...DEFAULT_EVICTION_HARD }),
  evictionSoft: quantities.default({}),
  evictionSoftGracePeriodMs: z.record(z.string(), z.number()).default({}),
  evictionMinimumReclaim: quantities.default({}),
  /** How long a node counts as under pressure after it was last seen so. */
  evictionPressureTransitionMs: z.number().int().min(0).default(300_000),
  /** What a pod gets to end when a soft threshold is met, if its own is longer. */
  evictionMaxPodGraceSeconds: z.number().int().min(0).default(0),
  /** A folder whose files are pods that run here whatever the server says. */
  podManifestPath: z.string().optional(),
  /** A TracingConfiguration: where spans go. */
  tracingConfigFile: z.string().optional(),
  /** How long pods have to end when the machine goes down, and of that, those that are critical; 0: no time. */
  shutdownGraceMs: z.number().int().min(0).default(0),
  shutdownGraceCriticalMs: z.number().int().min(0).default(0),
  /** Instead of both: from each priority on. */
  shutdownGraceByPriority: z
    .array(z.object({ priority: z.number().int(), graceMs: z.number().int().min(0) }))
    .default([]),
  /** Devices that are counted here, each by its CDI name: `devices.dhow.dev/NAME` → those of it. */
  devices: z.record(z.string(), z.array(z.string()).min(1)).default({}).superRefine(checkDevices),
  /** Where CDI devices are described; later folders count before earlier ones. */
  cdiSpecDirs: z.array(z.string()).default(['/etc/cdi', '/var/run/cdi']),
  maxPods: z.number().int().min(1).default(110),
  /** The longest that a container which ends again and again waits for its next start. */
  restartBackoffMaxMs: z.number().int().min(1_000).default(300_000),
  /** Processes that one pod may have. */
  podPidsLimit: z.number().int().min(1).default(4096),
  /** The compiled launcher of the runtime. */
  launcherPath: z.string().min(1),
  /** Further runtimes for pods of a class, `NAME=PATH[,--FLAG…]`; runc, crun and runsc are found. */
  runtimeHandlers: runtimeHandlers.default([]),
  /** Registries of the cluster, tried before an image's own; reached with the node's certificate. */
  registryEndpoints: z.array(z.string()).default([]),
  /** Registries that are spoken to without TLS. */
  insecureRegistries: z.array(z.string()).default([]),
  /** The bundled worker that unpacks layers; default: in this process. */
  unpackWorkerPath: z.string().optional(),
  /** The bundled worker that measures what pods take on disk; default: in this process. */
  meterWorkerPath: z.string().optional(),
  /** Starts the names of pod interfaces; unique in the network namespace. */
  interfacePrefix: z
    .string()
    .regex(/^[a-z0-9]{1,6}$/)
    .default('dh'),
  /** Who makes the links of pods: Dhow by itself, or CNI plugins. */
  networkPlugin: z.enum(['native', 'cni']).default('native'),
  /** Holds the CNI network's configuration. */
  cniConfDir: z.string().default('/etc/cni/net.d'),
  /** Folders with CNI plugins. */
  cniBinDirs: z.array(z.string().startsWith('/')).min(1).default(['/opt/cni/bin', '/usr/lib/cni']),
  /** How packets between pods of different nodes are kept from others on the way. */
  nodeEncryption: z.enum(['none', 'wireguard']).default('none'),
  /** Of UDP, where other nodes' packets come in. */
  wireguardPort: port.default(51_820),
  /** Ranges of the node's addresses that have node ports; default: all but loopback. */
  nodePortAddresses: z.array(z.union([z.cidrv4(), z.cidrv6()])).default([]),
  /** DNS servers of pods that stand in for the cluster's own; then this node has no resolver. */
  clusterDns: z.array(z.string()).default([]),
  /** Default: the cluster's own. */
  clusterDomain: z.string().optional(),
  /** The bundled program that answers for the cluster's names; default: this node has none. */
  resolverPath: z.string().optional(),
  /** Where this node serves ingresses at its address; 0: not at all. */
  ingressHttpPort: port.or(z.literal(0)).default(80),
  ingressHttpsPort: port.or(z.literal(0)).default(443),
  /** The bundled program that serves ingresses; default: this node serves none. */
  ingressPath: z.string().optional(),
  /** Names the servers of all names that are not the cluster's. */
  resolvConf: z.string().default('/etc/resolv.conf'),
  /** Where log collectors look for those of pods and containers; default: logs stay in `stateDir`. */
  logDir: z.string().optional(),
  logMaxBytes: z
    .number()
    .int()
    .min(4096)
    .default(10 * 1024 * 1024),
  logMaxFiles: z.number().int().min(2).default(5),
  logLevel: z.string().default('info'),
});

export type AgentConfig = Readonly<z.output<typeof agentConfigSchema>>;
export type AgentConfigInput = z.input<typeof agentConfigSchema>;

/** Named processors stand in for amounts of them. */
const reservationsOf = ({
  reservedCpus,
  systemReserved,
  kubeReserved,
}: AgentConfig): Pick<AgentConfig, 'systemReserved' | 'kubeReserved'> => {
  const { length } = parseCpuList(reservedCpus);
  if (length === 0) return { systemReserved, kubeReserved };
  const { cpu: _cpu, ...others } = kubeReserved;
  return { systemReserved: { ...systemReserved, cpu: String(length) }, kubeReserved: others };
};

/** Those that share must have some to run on. @throws Error in upstream's words */
const checkPolicy = ({ cpuManagerPolicy, systemReserved, kubeReserved }: AgentConfig): void => {
  const reserved = amountsOf(systemReserved).cpuMillis + amountsOf(kubeReserved).cpuMillis;
  if (cpuManagerPolicy === 'static' && reserved === 0)
    throw new Error(
      'invalid agent configuration: [cpumanager] the static policy requires ' +
        'systemreserved.cpu + kubereserved.cpu to be greater than zero',
    );
};

/** Where the node serves ingresses: plain http first. */
export const ingressPortsIn = ({
  ingressPath,
  ingressHttpPort,
  ingressHttpsPort,
}: Pick<AgentConfig, 'ingressPath' | 'ingressHttpPort' | 'ingressHttpsPort'>): readonly number[] =>
  ingressPath === undefined ? [] : [ingressHttpPort, ingressHttpsPort].filter((each) => each !== 0);

/** @throws Error that names each wrong field. */
export const parseAgentConfig = (input: unknown): AgentConfig => {
  const result = agentConfigSchema.safeParse(input);
  if (result.success) {
    parseThresholds(result.data);
    shutdownSteps(result.data);
    const config = { ...result.data, ...reservationsOf(result.data) };
    checkPolicy(config);
    return config;
  }
  const problems = result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new Error(`invalid agent configuration: ${problems.join('; ')}`);
};

/** `https://[fd00::1]:6443/` → `fd00::1` */
export const hostOf = (server: string): string => {
  const bare = server.replace(/^[a-z]+:\/\//, '').replace(/\/.*$/, '');
  const bracketed = /^\[([^\]]+)\]/.exec(bare);
  if (bracketed !== null) return bracketed[1] ?? '';
  return bare.split(':').length === 2 ? (bare.split(':')[0] ?? '') : bare;
};
