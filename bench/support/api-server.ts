import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, request, type RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readKubeconfig, type ClientConfig } from '../../client/kubeconfig';

/** A server with an etcd of its own and without nodes, in a process of its own. */
export interface BenchServer {
  readonly config: ClientConfig;
  readonly pid: number;
  /** Ends the process and starts it again on the same data. Resolves to how long it took to be ready. */
  restart(): Promise<number>;
}

export const withServer = async <T>(
  work: (server: BenchServer) => Promise<T>,
  flags: readonly string[] = [],
): Promise<T> => {
  const dir = mkdtempSync(join(tmpdir(), 'dhow-bench-'));
  let child = start(dir, flags);
  try {
    const config = await ready(dir, child);
    return await work({
      config,
      get pid() {
        return child.pid ?? 0;
      },
      restart: async () => {
        await stop(child);
        const startMs = performance.now();
        child = start(dir, flags);
        await ready(dir, child);
        return performance.now() - startMs;
      },
    });
  } finally {
    await stop(child);
    rmSync(dir, { recursive: true, force: true });
  }
};

const start = (dir: string, flags: readonly string[]): ChildProcess =>
  spawn(
    join(process.cwd(), 'dhow'),
    [
      ...['server', '--data-dir', join(dir, 'data'), '--run-dir', join(dir, 'run')],
      ...['--listen', `127.0.0.1:${PORT}`],
      ...flags,
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );

const ready = async (dir: string, child: ChildProcess): Promise<ClientConfig> => {
  const path = join(dir, 'data', 'admin.kubeconfig');
  const endMs = performance.now() + READY_MS;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
    if (performance.now() > endMs) throw new Error('the server does not become ready');
    if (existsSync(path)) {
      const config = await readKubeconfig(path);
      const client = new BenchClient(config, 1);
      const status = await client.call('GET', '/readyz').catch(() => 0);
      client.close();
      if (status === 200) return config;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

const stop = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const killing = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await ended;
  clearTimeout(killing);
};

interface Call {
  readonly method: string;
  readonly path: string;
  readonly body?: string | undefined;
  /** Of the body. */
  readonly type?: string | undefined;
}

/** As little of a client as there can be: its own work must not hide the server's. */
export class BenchClient {
  private readonly agent: Agent;

  constructor(
    private readonly config: ClientConfig,
    connections: number,
  ) {
    this.agent = new Agent({ ...this.tls(), keepAlive: true, maxSockets: connections });
  }

  /** Resolves to the status once the answer is read. */
  call(method: string, path: string, body?: string, type?: string): Promise<number> {
    return this.send({ method, path, body, type }, (response) => void response.resume());
  }

  /** The beginning of an answer to a GET. */
  async text(path: string): Promise<string> {
    let text = '';
    await this.send({ method: 'GET', path }, (response) => {
      response.on('data', (data: Buffer) => {
        if (text.length < TEXT_LENGTH) text += data.toString();
      });
    });
    return text;
  }

  private send(
    { method, path, body, type = 'application/json' }: Call,
    read: (response: IncomingMessage) => void,
  ): Promise<number> {
    const headers = body === undefined ? {} : { 'content-type': type };
    return new Promise((resolve, reject) => {
      const options = { ...this.address(path), agent: this.agent, method, headers };
      const sent = request(options, (response) => {
        read(response);
        response.once('end', () => resolve(response.statusCode ?? 0));
        response.once('error', reject);
      });
      sent.once('error', reject);
      sent.end(body);
    });
  }

  /** Opens a stream on a connection of its own; resolves with its end once it has begun. */
  stream(path: string, onData: (data: Buffer) => void): Promise<() => void> {
    return new Promise((resolve, reject) => {
      const options = { ...this.address(path), ...this.tls(), agent: false as const };
      const sent = request(options, (response) => {
        response.on('data', onData);
        response.once('error', () => undefined);
        resolve(() => sent.destroy());
      });
      sent.once('error', reject);
      sent.end();
    });
  }

  close(): void {
    this.agent.destroy();
  }

  private address(path: string): RequestOptions {
    const { hostname, port } = new URL(this.config.server);
    return { host: hostname, port, path };
  }

  private tls(): Pick<RequestOptions, 'ca' | 'cert' | 'key'> {
    const { ca, cert, key } = this.config;
    return { ca, cert, key };
  }
}

/** User and system time of a process, without its children. */
export const cpuMsOf = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
};

export const residentMbOf = (pid: number): number => {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return (Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) * 1024) / 1e6;
};

/** Source: sysconf(_SC_CLK_TCK), 100 on every Linux of ours. */
const MS_PER_TICK = 10;
const TEXT_LENGTH = 4096;
const PORT = 16_480;
const READY_MS = 120_000;
const STOP_MS = 20_000;
