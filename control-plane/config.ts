import { z } from 'zod';
import { SIGNING_ALGORITHMS } from './api-server/auth/token-issuer';
import { DEFAULT_CLUSTER_NETWORK } from '../api/cluster-network';
import { scheduleProblem } from '../api/validation/cron-schedule';

const YEAR_SECONDS = 365 * 24 * 3600;
const seconds = z.number().min(1).max(86_400);

/** What a server is told at start. */
export const serverConfigSchema = z.object({
  /** Survives reboots: etcd's data, certificates, images, decisions. */
  dataDir: z.string().min(1).default('/var/lib/dhow/server'),
  /** On tmpfs: etcd's sockets and pid. */
  runDir: z.string().min(1).default('/run/dhow/server'),
  /** Where the API listens. */
  listen: z.string().default('127.0.0.1:6443'),
  /**
   * Where nodes and pods reach the API. Default: the address it listens at, or the first of this machine.
   * Upstream's `--advertise-address`.
   */
  advertiseAddress: z.union([z.ipv4(), z.ipv6()]).optional(),
  /** Where agents connect; default: the API's host, the next port. */
  agentsListen: z.string().optional(),
  /** More names and addresses for the server's certificate. */
  serverNames: z.array(z.string()).default([]),
  /** The name of the cluster in the kubeconfig. */
  clusterName: z.string().default('dhow'),
  /** An etcd that others run; without it the server runs one of its own. */
  etcdEndpoints: z.array(z.string()).default([]),
  /** Who vouches for them: they are spoken to over TLS. Upstream's `--etcd-cafile`. */
  etcdCaFile: z.string().min(1).optional(),
  /** Who this server is to them, and its key. Upstream's `--etcd-certfile` and `--etcd-keyfile`. */
  etcdCertFile: z.string().min(1).optional(),
  etcdKeyFile: z.string().min(1).optional(),
  /** How large an etcd of its own may grow; beyond that the cluster is read-only. */
  etcdQuotaMib: z.number().int().min(16).max(65_536).default(8_192),
  /** Go on with an etcd that is another, or older, than the one this server knew. */
  acceptEtcdHistory: z.boolean().default(false),
  /** Delete Secrets whose key is lost, in place of not starting. */
  discardUnreadableSecrets: z.boolean().default(false),
  /** A Policy of audit.k8s.io/v1: what is written to the audit log. Without one nothing is. */
  auditPolicyFile: z.string().optional(),
  /** Default: DIR/audit.log. */
  auditLogPath: z.string().optional(),
  /** How large a file of the audit log grows, and how many old ones stay. */
  auditLogMaxSizeMib: z.number().int().min(1).max(100_000).default(100),
  auditLogMaxBackups: z.number().int().min(0).max(1000).default(10),
  /** Another issuer whose tokens are taken, by upstream's flags of the same names. */
  oidc: z
    .object({
      issuerUrl: z.string().regex(/^https:\/\//, 'must be an https URL'),
      clientId: z.string().min(1),
      usernameClaim: z.string().min(1).default('sub'),
      usernamePrefix: z.string().optional(),
      groupsClaim: z.string().optional(),
      groupsPrefix: z.string().default(''),
      requiredClaims: z.record(z.string(), z.string()).default({}),
      signingAlgorithms: z.array(z.enum(SIGNING_ALGORITHMS)).min(1).default(['RS256']),
      caFile: z.string().optional(),
    })
    .optional(),
  /** An AuthenticationConfiguration of apiserver.config.k8s.io: read again when it changes. */
  authenticationConfigFile: z.string().optional(),
  /** Requests without a name are answered as far as roles allow it. Upstream's `--anonymous-auth`. */
  anonymousAuth: z.boolean().optional(),
  /** Range that the nodes' pod ranges are cut from. */
  clusterCidr: z.string().default(DEFAULT_CLUSTER_NETWORK.clusterCidr),
  /** Range of the services' addresses. Upstream's flag of the same name, as the next. */
  serviceClusterIpRange: z.string().default(DEFAULT_CLUSTER_NETWORK.serviceClusterIpRange),
  serviceNodePortRange: z.string().default(DEFAULT_CLUSTER_NETWORK.serviceNodePortRange),
  /** What the names of services and pods end in. */
  clusterDomain: z.string().default(DEFAULT_CLUSTER_NETWORK.clusterDomain),
  /** A KubeSchedulerConfiguration: profiles and their plugins. Upstream's `--config` of kube-scheduler. */
  schedulerConfigFile: z.string().optional(),
  /** A TracingConfiguration. Upstream's `--tracing-config-file` of kube-apiserver. */
  tracingConfigFile: z.string().optional(),
  /** A node silent for this long is Unknown. Upstream's `--node-monitor-grace-period`. */
  nodeGraceSeconds: seconds.default(40),
  /** How long pods stay on a node that is not ready or unreachable, unless they say otherwise. */
  evictionSeconds: z.number().int().min(0).max(86_400).default(300),
  /**
   * A stream of exec, attach or portforward that carries nothing for this long ends. Upstream's
   * `--streaming-connection-idle-timeout`.
   */
  streamIdleSeconds: seconds.default(4 * 3600),
  /** How often an agent says that it lives. */
  heartbeatSeconds: seconds.default(10),
  /** How long the certificates of the server and of its administrator are good. Default a year. */
  certificateSeconds: z
    .number()
    .int()
    .min(10)
    .max(10 * YEAR_SECONDS)
    .default(YEAR_SECONDS),
  /** When snapshots of the cluster are saved, as a CronJob's schedule. Without one none are. */
  snapshotSchedule: z
    .string()
    .superRefine((text, context) => {
      const problem = scheduleProblem(text);
      if (problem !== undefined) context.addIssue(problem);
    })
    .optional(),
  /** How many of those that the schedule made stay. */
  snapshotRetention: z.number().int().min(1).max(10_000).default(5),
  /** Default: DIR/snapshots. */
  snapshotDir: z.string().min(1).optional(),
  /** Its first line seals them. */
  snapshotPassphraseFile: z.string().optional(),
  /** In the place of a passphrase: they are not sealed. */
  snapshotUnsealed: z.boolean().default(false),
  joinTokenTtlSeconds: z
    .number()
    .min(60)
    .default(24 * 3600),
  logLevel: z.string().default('info'),
});

export type ServerConfig = Readonly<z.output<typeof serverConfigSchema>>;

/** @throws Error that names each wrong field. */
export const parseServerConfig = (input: unknown): ServerConfig => {
  const result = serverConfigSchema.safeParse(input);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new Error(`invalid server configuration: ${problems.join('; ')}`);
};

/** `HOST:PORT`, `[V6]:PORT`, `:PORT` or `PORT`. @throws Error */
export const parseAddress = (text: string): { readonly host: string; readonly port: number } => {
  const match = /^(?:\[([^\]]+)\]|([^:]*))?:?(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) throw new Error(`"${text}" is not HOST:PORT`);
  return {
    host: match[1] ?? (match[2] === undefined || match[2] === '' ? '0.0.0.0' : match[2]),
    port,
  };
};
