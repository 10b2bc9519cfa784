import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { buildSync } from 'esbuild';
import { systemClock } from '../lib/clock';
import { stringifyJson } from '../lib/json';
import { silentLog, type Log } from '../lib/log';
import { systemRandom } from '../lib/random';
import { readRecord, stopCompanion } from '../node-agent/companion/record';
import { IngressKeeper } from '../node-agent/ingress';
import { NetworkTables } from '../node-agent/session/network-tables';
import type { BenchResult } from './result';
import { cpuMsOf } from './support/processes';

/**
 * Requests that the proxy of a node passes on in a second, and in a second of its own processor time, against
 * one worker of Debian's nginx before the same backend, one after the other, by the same client. Needs a build.
 */
export const bench = async (log: Log = silentLog): Promise<BenchResult[]> => {
  if (spawnSync('nginx', ['-v']).error !== undefined) {
    log.warn({ package: 'nginx-light' }, 'ingress bench skipped: no nginx');
    console.error('ingress: skipped, there is no nginx: apt-get install nginx-light');
    return [];
  }
  const dir = mkdtempSync(join(tmpdir(), 'ingress-bench-'));
  build(dir);
  const backend = spawn(process.execPath, [join(dir, 'backend.js'), BACKEND_PORT], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await once(backend.stdout, 'data');
    const ours = await withProxy(dir, (pid) => measure(dir, OUR_PORT, pid));
    const peer = await withNginx(dir, (pid) => measure(dir, PEER_PORT, pid));
    return [
      result('requests', ours.perSecond, peer.perSecond),
      result('requests of a processor', ours.perCpuSecond, peer.perCpuSecond),
    ];
  } finally {
    await end(backend);
    rmSync(dir, { recursive: true, force: true });
  }
};

const result = (metric: string, ours: number, peerValue: number): BenchResult => ({
  ...{ bench: 'ingress', metric, ours, peer: 'nginx, one worker', peerValue },
  ...{ ratio: ours / peerValue, unit: '/s' },
});

interface Rates {
  readonly perSecond: number;
  readonly perCpuSecond: number;
}

const withProxy = async (dir: string, work: (pid: number) => Promise<Rates>): Promise<Rates> => {
  const tables = new NetworkTables(dir, silentLog, systemClock);
  tables.applyChanges({ rows: rows(), removed: [] });
  const stopping = new AbortController();
  const directory = join(dir, 'ingress');
  const keeper = new IngressKeeper({
    ...{ directory, program: join(process.cwd(), 'dist/ingress-proxy.js'), network: tables },
    settings: { addresses: [ADDRESS], httpPort: OUR_PORT, httpsPort: OUR_PORT + 1 },
    onProblem: (problem) => console.error(problem),
    ...{ clock: systemClock, random: systemRandom, log: silentLog },
  });
  const ended = keeper.run(stopping.signal);
  try {
    const { pid } = await until('the proxy serves', async () =>
      (await isOpen(OUR_PORT)) ? readRecord(directory) : undefined,
    );
    return await work(pid);
  } finally {
    stopping.abort();
    await ended;
    await stopCompanion(directory, systemClock);
  }
};

const withNginx = async (dir: string, work: (pid: number) => Promise<Rates>): Promise<Rates> => {
  const config = join(dir, 'nginx.conf');
  writeFileSync(config, nginxConfig(dir));
  const nginx = spawn('nginx', ['-c', config, '-p', dir], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  try {
    await until('nginx serves', () => isOpen(PEER_PORT));
    const children = readFileSync(`/proc/${nginx.pid}/task/${nginx.pid}/children`, 'utf8');
    return await work(Number(children.trim().split(' ')[0]));
  } finally {
    await end(nginx);
  }
};

const measure = async (dir: string, port: number, pid: number): Promise<Rates> => {
  const args = [join(dir, 'client.js'), ADDRESS, String(port), HOST];
  const client = () => promisify(execFile)(process.execPath, args, { timeout: CLIENT_TIMEOUT_MS });
  // The first run finds the server warm at its end.
  await client();
  const beforeMs = cpuMsOf(pid);
  const { perSecond, answerCount } = JSON.parse((await client()).stdout) as {
    readonly perSecond: number;
    readonly answerCount: number;
  };
  return { perSecond, perCpuSecond: (answerCount * 1000) / (cpuMsOf(pid) - beforeMs) };
};

const until = async <T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> => {
  const endMs = systemClock.monotonicMs() + START_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (systemClock.monotonicMs() > endMs) throw new Error(`${what}: it never came to pass`);
    await systemClock.sleep(50);
  }
};

const isOpen = async (port: number): Promise<boolean> => {
  const socket = connect(port, ADDRESS);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
};

const end = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill();
  await ended;
};

/** One host that leads to the backend. */
const rows = () => {
  const row = (resource: string, key: string, value: object) => ({
    ...{ resource, key, version: '', json: Buffer.from(stringifyJson(value)) },
  });
  const metadata = { namespace: 'ns', name: 'web' };
  const backend = { service: { name: 'web', port: { name: 'http' } } };
  const ports = [{ name: 'http', port: Number(BACKEND_PORT), protocol: 'TCP' }];
  return [
    row('services', 'ns/web', { metadata, spec: { ports: [{ ...ports[0], port: 80 }] } }),
    row('endpointslices', 'ns/web', {
      metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'web' } },
      ...{ addressType: 'IPv4', ports },
      endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: true } }],
    }),
    row('ingresses', 'ns/web', {
      metadata,
      spec: {
        rules: [{ host: HOST, http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }],
      },
    }),
    row('clusternetwork', 'cluster', {
      ...{ podCidrs: ['10.42.0.0/16'], serviceCidrs: ['10.96.0.0/16'], clusterDns: ['10.96.0.10'] },
      ...{ nodePortRange: { first: 30_000, last: 32_767 }, clusterDomain: 'cluster.local' },
    }),
  ];
};

/** As much as the proxy does: the connections to the backend are kept, the client is told of. */
const nginxConfig = (dir: string): string => `
daemon off;
user root;
worker_processes 1;
pid ${dir}/nginx.pid;
error_log stderr error;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 10000000;
  client_body_temp_path ${dir}/body;
  proxy_temp_path ${dir}/proxy;
  fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi;
  scgi_temp_path ${dir}/scgi;
  upstream web { server 127.0.0.1:${BACKEND_PORT}; keepalive 64; keepalive_requests 10000000; }
  server {
    listen ${ADDRESS}:${PEER_PORT};
    server_name ${HOST};
    location / {
      proxy_pass http://web;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
    }
  }
}`;

const build = (outdir: string): void => {
  buildSync({
    entryPoints: ['backend', 'client'].map((name) =>
      join(process.cwd(), `bench/ingress/${name}.ts`),
    ),
    ...{ outdir, bundle: true, platform: 'node', target: 'node20', logLevel: 'error' },
  });
};

const HOST = 'web.example';
const ADDRESS = '127.80.0.30';
const OUR_PORT = 18_392;
const PEER_PORT = 18_394;
const BACKEND_PORT = '18395';
const START_MS = 20_000;
const CLIENT_TIMEOUT_MS = 60_000;
