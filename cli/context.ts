import { existsSync } from 'node:fs';
import { readKubeconfig, type ClientConfig, type KubeconfigOverrides } from '../client/kubeconfig';
import { kubeconfigPaths } from '../client/kubeconfig/files';
import { RestClient } from '../client/rest-client';
import { clusterPaths, mayListClusters, recordedClusters } from './cluster-paths';
import { Discovery, type OfferedResource } from './discovery';
import { unservedKind } from './not-served';
import type { Terminal } from './output/terminal';
import { warningWriter } from './output/warnings';
import { durationMs } from './durations';
import { UsageError } from './usage-error';
import type { NamedResource } from './well-known';

/** Options that every command which talks to a server has; namespaces where they matter. */
export interface ConnectOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly cluster?: string;
  readonly as?: string;
  readonly asGroup?: readonly string[];
  readonly asUid?: string;
  readonly server?: string;
  readonly token?: string;
  /** More than one where the command has users of its own, which are no kubeconfig's. */
  readonly user?: string | readonly string[];
  readonly certificateAuthority?: string;
  readonly clientCertificate?: string;
  readonly clientKey?: string;
  readonly tlsServerName?: string;
  readonly insecureSkipTlsVerify?: string | boolean;
  readonly requestTimeout?: string;
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
}

/** A command's connection to its cluster. */
export interface CliContext {
  readonly terminal: Terminal;
  readonly client: RestClient;
  readonly config: ClientConfig;
  /** The cluster of this machine that the kubeconfig belongs to, if it does. */
  readonly cluster: string | undefined;
  /** The namespace asked for; undefined for all. */
  readonly namespace: string | undefined;
  /** The namespace was named on the command line. */
  readonly isNamespaceForced: boolean;
  /** The kind that the user means by `po`, `pods`, `pod`, `deployments.apps`. @throws UsageError */
  resolve(name: string): Promise<NamedResource>;
  /** As `resolve`, and all kinds of a category such as `all`. @throws UsageError */
  resolveAll(name: string): Promise<readonly NamedResource[]>;
  /** All kinds that the server offers. */
  allKinds(): Promise<readonly OfferedResource[]>;
  readonly signal: AbortSignal;
}

/** Finds the cluster: `--kubeconfig`, `--cluster`, `$KUBECONFIG`, the one local cluster, `~/.kube/config`. */
export const connect = async (
  options: ConnectOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<CliContext> => {
  const paths = configPaths(options);
  const read = await readKubeconfig(paths, overridesOf(options), signal);
  const config = { ...read, ...impersonated(options, read), ...timeoutOf(options) };
  const client = new RestClient(config, warningWriter(terminal.err));
  return {
    terminal,
    client,
    config,
    cluster: recordedClusters().find((name) => paths.includes(clusterPaths(name).kubeconfig)),
    signal,
    isNamespaceForced: options.namespace !== undefined,
    namespace: options.allNamespaces === true ? undefined : (options.namespace ?? config.namespace),
    ...resolversOf(new Discovery(client, signal)),
  };
};

/** @throws UsageError */
const overridesOf = (options: ConnectOptions): KubeconfigOverrides => {
  const {
    insecureSkipTlsVerify: skip,
    certificateAuthority,
    clientCertificate,
    clientKey,
  } = options;
  if ((clientCertificate === undefined) !== (clientKey === undefined)) {
    throw new UsageError('--client-certificate and --client-key are given together, or neither');
  }
  const insecureSkipTlsVerify = skip === undefined ? undefined : skip === true || skip === 'true';
  if (insecureSkipTlsVerify === true && certificateAuthority !== undefined) {
    throw new UsageError(
      'specifying a root certificates file with the insecure flag is not allowed',
    );
  }
  const { user, ...others } = options;
  return { ...others, user: typeof user === 'string' ? user : undefined, insecureSkipTlsVerify };
};

/** @throws UsageError */
const timeoutOf = ({ requestTimeout }: ConnectOptions): Pick<ClientConfig, 'requestTimeoutMs'> => {
  if (requestTimeout === undefined) return {};
  // A number alone is seconds, as kubectl has it; none, or 0, is no limit.
  const text = /^\d+$/.test(requestTimeout) ? `${requestTimeout}s` : requestTimeout;
  const requestTimeoutMs = durationMs('--request-timeout', text);
  if (requestTimeoutMs < 0) {
    throw new UsageError(`--request-timeout: "${requestTimeout}" is less than nothing`);
  }
  return requestTimeoutMs === 0 ? {} : { requestTimeoutMs };
};

/** As whom to ask: what is said here goes before what the file says. @throws UsageError */
const impersonated = (
  { as, asGroup, asUid }: ConnectOptions,
  { impersonate }: ClientConfig,
): Pick<ClientConfig, 'impersonate'> => {
  const user = as ?? impersonate?.user;
  const groups = asGroup ?? impersonate?.groups ?? [];
  const uid = asUid ?? impersonate?.uid;
  if (user !== undefined) return { impersonate: { user, groups, uid } };
  if (groups.length === 0 && uid === undefined) return {};
  throw new UsageError('requesting uid or groups without impersonating a user: add --as USER');
};

const resolversOf = (
  discovery: Discovery,
): Pick<CliContext, 'resolve' | 'resolveAll' | 'allKinds'> => {
  const unknown = (name: string): never => {
    const kind = unservedKind(name);
    throw new UsageError(
      kind === undefined
        ? `the server doesn't have a resource type "${name}"`
        : `the server doesn't have a resource type "${name}": ${kind} is not served yet`,
    );
  };
  return {
    resolve: async (name) => (await discovery.find(name)) ?? unknown(name),
    resolveAll: async (name) => {
      const one = await discovery.find(name);
      if (one !== undefined) return [one];
      const several = await discovery.inCategory(name);
      return several.length === 0 ? unknown(name) : several;
    },
    allKinds: () => discovery.all(),
  };
};

/** The kubeconfig that a command uses, in one file or several. @throws UsageError when there is none */
export const configPaths = (
  options: Pick<ConnectOptions, 'kubeconfig' | 'cluster' | 'server'>,
): readonly string[] => {
  // What is asked for by its address is not one of the clusters that happen to be here.
  const isElsewhere = options.server !== undefined && options.cluster === undefined;
  if (isElsewhere) return elsewherePaths(options);
  const named = namedConfigPaths(options);
  if (named !== undefined) return named;
  const usual = kubeconfigPaths(undefined);
  if (!usual.some((path) => existsSync(path))) throw new UsageError(noClusters());
  return usual;
};

/** That there is no file matters only where one was named. @throws UsageError */
const elsewherePaths = ({ kubeconfig }: Pick<ConnectOptions, 'kubeconfig'>): readonly string[] => {
  if (kubeconfig !== undefined && !existsSync(kubeconfig)) {
    throw new UsageError(`stat ${kubeconfig}: no such file or directory`);
  }
  return kubeconfigPaths(kubeconfig);
};

/** As `configPaths`; undefined where nothing but the usual place in the home is left. @throws UsageError */
export const namedConfigPaths = (
  { kubeconfig, cluster }: Pick<ConnectOptions, 'kubeconfig' | 'cluster'>,
  hint = '--cluster',
): readonly [string, ...string[]] | undefined => {
  if (kubeconfig !== undefined) return [kubeconfig];
  if (cluster !== undefined) return [configOfCluster(cluster)];
  if (process.env['KUBECONFIG']) return kubeconfigPaths(undefined);
  const local = localClusters();
  if (local.length > 1) {
    throw new UsageError(`several clusters are here (${local.join(', ')}): name one with ${hint}`);
  }
  const [only] = local;
  return only === undefined ? undefined : [clusterPaths(only).kubeconfig];
};

const configOfCluster = (name: string): string => {
  if (localClusters().includes(name)) return clusterPaths(name).kubeconfig;
  throw new UsageError(unknownCluster(name));
};

/** The clusters of this machine that this user can reach. */
const localClusters = (): string[] =>
  recordedClusters().filter((name) => existsSync(clusterPaths(name).kubeconfig));

/** What to say to a user who has no cluster, or may not see those that there are. */
export const noClusters = (): string =>
  mayListClusters()
    ? 'no clusters here; start one with: dhow up'
    : 'the clusters of this machine belong to root: use sudo, or a copy of a kubeconfig with --kubeconfig';

export const unknownCluster = (name: string): string =>
  mayListClusters()
    ? `no cluster is named ${name}; here are: ${recordedClusters().join(', ') || 'none'}`
    : noClusters();
