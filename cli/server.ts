import { Command } from 'commander';
import { systemClock } from '../lib/clock';
import { runServer, type ServerStarted } from '../control-plane/server';
import { withConfigFile } from './config-file';
import { collect, logLevel, runProgram, stopSignal, wholeNumber } from './program';
import { serviceManager } from './service-manager';
import { examples } from './syntax/command';
import { UsageError } from './usage-error';

/** `dhow server`: a complete control plane in the foreground. */
export const main = (argv: readonly string[]): Promise<number> =>
  runProgram(serverProgram(), argv.slice(1));

export const serverProgram = (): Command => {
  const program = withTimes(
    withStore(new Command('dhow server'))
      .description('Run a control plane: API, store, scheduler, controllers and registry')
      .option('--data-dir <dir>', 'what survives a reboot')
      .option('--run-dir <dir>', 'sockets and pids; best on tmpfs')
      .option('--listen <host:port>', 'where the API listens; default 127.0.0.1:6443')
      .option('--advertise-address <ip>', 'where pods reach the API; default: where it listens')
      .option('--agents-listen <host:port>', "where agents connect; default the API's next port")
      .option('--server-name <name>', 'a further name in the certificate', collect)
      .option('--cluster-name <name>', 'the name in the kubeconfig')
      .option('--audit-policy-file <file>', 'what is written to the audit log; default: nothing')
      .option('--audit-log-path <file>', 'default audit.log in the data directory')
      .option(
        '--audit-log-maxsize <mebibytes>',
        'when a new file is begun; default 100',
        wholeNumber('--audit-log-maxsize'),
      )
      .option(
        '--audit-log-maxbackup <count>',
        'how many old files stay; default 10',
        wholeNumber('--audit-log-maxbackup'),
      )
      .option(
        '--authentication-config <file>',
        'an AuthenticationConfiguration, in place of the --oidc flags; read again when it changes',
      )
      .option(
        '--scheduler-config <file>',
        'a KubeSchedulerConfiguration: profiles of the scheduler, and their plugins',
      )
      .option(
        '--tracing-config-file <file>',
        'a TracingConfiguration: send spans to a collector; default: nothing is traced',
      )
      .option('--anonymous-auth', 'answer requests without a name as far as roles allow it')
      .option('--cluster-cidr <cidr>', 'range of the pods; default 10.42.0.0/16')
      .option('--service-cluster-ip-range <cidr>', 'range of the services; default 10.96.0.0/16')
      .option('--service-node-port-range <ports>', "of services' node ports; default 30000-32767")
      .option('--cluster-domain <domain>', 'what names end in; default cluster.local'),
  )
    .addOption(logLevel('what to log'))
    .addHelpText('after', EXAMPLES)
    .action(async (_options, command: Command) => {
      const flags = command.opts<Flags>();
      const signal = stopSignal();
      const manager = await serviceManager(systemClock, signal);
      const onStarted = (started: ServerStarted) => {
        sayStarted(started);
        manager?.ready();
      };
      await runServer(configOf(flags), signal, onStarted).catch((error: unknown) => {
        throw withoutRights(error) ?? error;
      });
    });
  return withConfigFile(withOidc(program), '/etc/dhow/server.yaml');
};

const sayStarted = ({ url, kubeconfig, joinToken }: ServerStarted): void => {
  process.stdout.write(
    `API:        ${url}\nkubeconfig: ${kubeconfig}\n` +
      `join:       dhow agent --server ${url.replace('https://', '')} --token ${joinToken}\n`,
  );
};

/** A folder that this user may not write is for this user to choose anew. */
const withoutRights = (error: unknown): UsageError | undefined => {
  const { code, path } = error as NodeJS.ErrnoException;
  return (code === 'EACCES' || code === 'EPERM') && path !== undefined
    ? new UsageError(
        `this user may not write ${path}: use sudo, or --data-dir with a folder of your own`,
      )
    : undefined;
};

/** What it keeps, and how. */
const withStore = (command: Command): Command =>
  command
    .option('--etcd-endpoint <host:port>', 'use this etcd; default: one of its own', collect)
    .option('--etcd-ca-file <file>', 'speak TLS with it; this authority vouches for it')
    .option('--etcd-cert-file <file>', 'the certificate of this server for it')
    .option('--etcd-key-file <file>', 'and the key of that')
    .option(
      '--etcd-quota <mebibytes>',
      'how large an etcd of its own may grow; default 8192',
      wholeNumber('--etcd-quota'),
    )
    .option(
      '--snapshot-schedule <cron>',
      'save the cluster at these times, such as "0 */12 * * *"; default: never',
    )
    .option(
      '--snapshot-retention <count>',
      'how many of these are kept; default 5',
      wholeNumber('--snapshot-retention'),
    )
    .option('--snapshot-dir <dir>', 'where they are; default snapshots in the data directory')
    .option('--snapshot-passphrase-file <file>', 'seal them with the first line of this file')
    .option('--snapshot-unsealed', 'do not seal them: who reads one has the cluster')
    .option(
      '--accept-etcd-history',
      'go on with an etcd that is another, or older, than the one this server knew',
    )
    .option(
      '--discard-unreadable-secrets',
      'delete the Secrets whose key is lost: without it the server does not start beside them',
    );

const withOidc = (command: Command): Command =>
  command
    .option('--oidc-issuer-url <url>', 'take the tokens of this OpenID Connect issuer')
    .option('--oidc-client-id <id>', 'for whom its tokens must be')
    .option('--oidc-username-claim <claim>', 'what names a user; default sub')
    .option('--oidc-username-prefix <text>', 'before each name; - for nothing; default URL#')
    .option('--oidc-groups-claim <claim>', 'what names groups; default: nothing does')
    .option('--oidc-groups-prefix <text>', 'before each group')
    .option('--oidc-required-claim <key=value>', 'what a token must say', collect)
    .option('--oidc-signing-algs <list>', 'joined by commas; default RS256')
    .option('--oidc-ca-file <file>', 'who vouches for the issuer; default: the usual authorities');

const withTimes = (command: Command): Command =>
  command
    .option(
      '--node-grace <seconds>',
      'silence after which a node is Unknown',
      wholeNumber('--node-grace'),
    )
    .option(
      '--eviction-after <seconds>',
      'how long pods stay on a dead node',
      wholeNumber('--eviction-after'),
    )
    .option(
      '--heartbeat <seconds>',
      'how often agents say that they live',
      wholeNumber('--heartbeat'),
    )
    .option(
      '--stream-idle <seconds>',
      'silence that ends an exec, attach or port-forward; default 14400',
      wholeNumber('--stream-idle'),
    );

interface Flags {
  readonly dataDir?: string;
  readonly runDir?: string;
  readonly listen?: string;
  readonly advertiseAddress?: string;
  readonly agentsListen?: string;
  readonly serverName?: readonly string[];
  readonly clusterName?: string;
  readonly etcdEndpoint?: readonly string[];
  readonly etcdCaFile?: string;
  readonly etcdCertFile?: string;
  readonly etcdKeyFile?: string;
  readonly etcdQuota?: number;
  readonly snapshotSchedule?: string;
  readonly snapshotRetention?: number;
  readonly snapshotDir?: string;
  readonly snapshotPassphraseFile?: string;
  readonly snapshotUnsealed?: boolean;
  readonly acceptEtcdHistory?: boolean;
  readonly discardUnreadableSecrets?: boolean;
  readonly authenticationConfig?: string;
  readonly schedulerConfig?: string;
  readonly tracingConfigFile?: string;
  readonly oidcIssuerUrl?: string;
  readonly oidcClientId?: string;
  readonly oidcUsernameClaim?: string;
  readonly oidcUsernamePrefix?: string;
  readonly oidcGroupsClaim?: string;
  readonly oidcGroupsPrefix?: string;
  readonly oidcRequiredClaim?: readonly string[];
  readonly oidcSigningAlgs?: string;
  readonly oidcCaFile?: string;
  readonly anonymousAuth?: boolean;
  readonly auditPolicyFile?: string;
  readonly auditLogPath?: string;
  readonly auditLogMaxsize?: number;
  readonly auditLogMaxbackup?: number;
  readonly clusterCidr?: string;
  readonly serviceClusterIpRange?: string;
  readonly serviceNodePortRange?: string;
  readonly clusterDomain?: string;
  readonly nodeGrace?: number;
  readonly evictionAfter?: number;
  readonly heartbeat?: number;
  readonly streamIdle?: number;
  readonly logLevel?: string;
}

const configOf = (flags: Flags) => ({
  dataDir: flags.dataDir,
  // Next to the data when that is not the default, so that two servers do not share sockets.
  runDir: flags.runDir ?? (flags.dataDir === undefined ? undefined : `${flags.dataDir}/run`),
  listen: flags.listen,
  advertiseAddress: flags.advertiseAddress,
  agentsListen: flags.agentsListen,
  serverNames: flags.serverName,
  clusterName: flags.clusterName,
  etcdEndpoints: flags.etcdEndpoint,
  etcdCaFile: flags.etcdCaFile,
  etcdCertFile: flags.etcdCertFile,
  etcdKeyFile: flags.etcdKeyFile,
  etcdQuotaMib: flags.etcdQuota,
  snapshotSchedule: flags.snapshotSchedule,
  snapshotRetention: flags.snapshotRetention,
  snapshotDir: flags.snapshotDir,
  snapshotPassphraseFile: flags.snapshotPassphraseFile,
  snapshotUnsealed: flags.snapshotUnsealed,
  acceptEtcdHistory: flags.acceptEtcdHistory,
  discardUnreadableSecrets: flags.discardUnreadableSecrets,
  oidc: oidcOf(flags),
  anonymousAuth: flags.anonymousAuth,
  authenticationConfigFile: flags.authenticationConfig,
  schedulerConfigFile: flags.schedulerConfig,
  tracingConfigFile: flags.tracingConfigFile,
  auditPolicyFile: flags.auditPolicyFile,
  auditLogPath: flags.auditLogPath,
  auditLogMaxSizeMib: flags.auditLogMaxsize,
  auditLogMaxBackups: flags.auditLogMaxbackup,
  clusterCidr: flags.clusterCidr,
  serviceClusterIpRange: flags.serviceClusterIpRange,
  serviceNodePortRange: flags.serviceNodePortRange,
  clusterDomain: flags.clusterDomain,
  nodeGraceSeconds: flags.nodeGrace,
  evictionSeconds: flags.evictionAfter,
  heartbeatSeconds: flags.heartbeat,
  streamIdleSeconds: flags.streamIdle,
  logLevel: flags.logLevel,
});

const oidcOf = (flags: Flags) =>
  flags.oidcIssuerUrl === undefined
    ? undefined
    : {
        issuerUrl: flags.oidcIssuerUrl,
        clientId: flags.oidcClientId,
        usernameClaim: flags.oidcUsernameClaim,
        usernamePrefix: flags.oidcUsernamePrefix,
        groupsClaim: flags.oidcGroupsClaim,
        groupsPrefix: flags.oidcGroupsPrefix,
        requiredClaims: Object.fromEntries(
          (flags.oidcRequiredClaim ?? []).map((pair) => {
            const at = pair.indexOf('=');
            if (at < 1) throw new UsageError(`--oidc-required-claim: "${pair}" is not KEY=VALUE`);
            return [pair.slice(0, at), pair.slice(at + 1)];
          }),
        ),
        signingAlgorithms: flags.oidcSigningAlgs?.split(','),
        caFile: flags.oidcCaFile,
      };

const EXAMPLES = examples(
  'dhow server --data-dir /var/lib/dhow/server --listen 0.0.0.0:6443',
  'dhow server --data-dir /tmp/try --listen 127.0.0.1:0',
  'kubectl --kubeconfig /tmp/try/admin.kubeconfig get nodes',
);
