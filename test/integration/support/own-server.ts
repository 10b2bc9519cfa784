import { build } from 'esbuild';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readKubeconfig } from '../../../client/kubeconfig';

/** A control plane in a process of its own, its etcd beside it. */
export interface OwnServer extends AsyncDisposable {
  readonly url: string;
  readonly log: () => string;
  /** Undefined while it runs. */
  readonly exit: () => string | undefined;
  ask(method: string, path: string, body?: string, type?: string): Promise<Reply>;
  /** What the process has in memory, in MB. */
  residentMb(): number;
  /** Of the server alone, not of its etcd. */
  kill(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void;
  readonly dataDir: string;
}

interface OwnServerOptions {
  /** Limit of the server's own cgroup; etcd is not in it. Needs root. */
  readonly memoryMb?: number;
  readonly flags?: readonly string[];
  /** Does what there has to be in the data folder before the start. */
  readonly prepare?: (dataDir: string) => Promise<void>;
}

export interface Reply {
  readonly status: number;
  readonly text: string;
  readonly tookMs: number;
}

export const startOwnServer = async ({
  memoryMb,
  flags: more = [],
  prepare,
}: OwnServerOptions = {}): Promise<OwnServer> => {
  const directory = await mkdtemp(join(tmpdir(), 'dhow-server-'));
  const program = join(directory, 'run-server.js');
  await bundle(program);
  const dataDir = join(directory, 'data');
  const group = memoryMb === undefined ? undefined : openGroup(memoryMb);
  const flags = ['--data-dir', dataDir, '--listen', '127.0.0.1:0', ...more];
  await prepare?.(dataDir);
  const enter = group === undefined ? 'exec "$@"' : `echo $$ > ${group}/cgroup.procs && exec "$@"`;
  // As Node does by itself, unless it cannot see its cgroup for namespaces.
  const heap = memoryMb === undefined ? [] : [`--max-old-space-size=${memoryMb / 2}`];
  const child = spawn('sh', ['-c', enter, 'sh', process.execPath, ...heap, program, ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [log, exit]: [string, string | undefined] = ['', undefined];
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (log = (log + chunk.toString()).slice(-100_000)));
  child.once('exit', (code, signal) => (exit = String(code ?? signal)));
  const url = await startedAt(child, () => log);
  if (group !== undefined) moveEtcdOut(group);
  const { ca, cert, key } = await readKubeconfig(join(dataDir, 'admin.kubeconfig'));
  const agent = new Agent({
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
    keepAlive: true,
    maxSockets: 64,
  });
  return {
    url,
    log: () => log,
    exit: () => exit,
    ask: (method, path, body, type) => ask(agent, new URL(path, url), method, body, type),
    residentMb: () =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid ?? 0}/status`, 'utf8'))?.[1]) /
      1024,
    kill: (signal) => void child.kill(signal),
    dataDir,
    [Symbol.asyncDispose]: async () => {
      agent.destroy();
      child.kill('SIGCONT');
      await stop(child);
      if (group !== undefined) rmdirSync(group);
      await rm(directory, { recursive: true, force: true });
    },
  };
};

const bundle = (outfile: string) =>
  build({
    entryPoints: [join(__dirname, 'run-server.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    logLevel: 'error',
    alias: { koffi: require.resolve('koffi') },
    external: [require.resolve('koffi')],
  });

const startedAt = async (child: ChildProcess, log: () => string): Promise<string> => {
  const deadlineMs = Date.now() + 60_000;
  for (;;) {
    const url = /API:\s+(https:\S+)/.exec(log())?.[1];
    if (url !== undefined) return url;
    if (child.exitCode !== null || Date.now() > deadlineMs)
      throw new Error(`the server did not start: ${log()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

const stop = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) {
      resolve();
      return;
    }
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
    setTimeout(() => child.kill('SIGKILL'), 20_000).unref();
  });

const openGroup = (memoryMb: number): string => {
  const isV1 = existsSync('/sys/fs/cgroup/memory/cgroup.procs');
  const group = join(isV1 ? '/sys/fs/cgroup/memory' : '/sys/fs/cgroup', `dhow-test-${process.pid}`);
  mkdirSync(group, { recursive: true });
  const file = isV1 ? 'memory.limit_in_bytes' : 'memory.max';
  writeFileSync(join(group, file), String(memoryMb * 1024 * 1024));
  return group;
};

/** Back to the group that this process is in. */
const moveEtcdOut = (group: string): void => {
  for (const pid of readFileSync(join(group, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean))
    if (readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'etcd')
      writeFileSync(join(group, '..', 'cgroup.procs'), pid);
};

const ask = (
  agent: Agent,
  url: URL,
  method: string,
  body?: string,
  type = 'application/json',
): Promise<Reply> =>
  new Promise((resolve, reject) => {
    const startMs = performance.now();
    const headers =
      body === undefined
        ? {}
        : { 'content-type': type, 'content-length': String(Buffer.byteLength(body)) };
    const sent = request(url, { agent, method, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          text: Buffer.concat(chunks).toString(),
          tookMs: performance.now() - startMs,
        }),
      );
    });
    sent.on('error', reject);
    sent.end(body);
  });
