import { execFile, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { buildSync } from 'esbuild';
import { silentLog, type Log } from '../lib/log';
import { hostsOf } from './dns/hosts';
import type { BenchResult } from './result';

/**
 * Answers for ten thousand names a second, against Debian's dnsmasq with the same names, one after the other, asked
 * by the same client; and answers for a second of the server's own processor time, which the client does not bound.
 */
export const bench = async (log: Log = silentLog): Promise<BenchResult[]> => {
  if (spawnSync('dnsmasq', ['--version']).error !== undefined) {
    log.warn({ package: 'dnsmasq-base' }, 'dns bench skipped: no dnsmasq');
    return [];
  }
  const dir = mkdtempSync(join(tmpdir(), 'dns-bench-'));
  try {
    build(dir);
    const hosts = join(dir, 'hosts');
    writeFileSync(
      hosts,
      hostsOf()
        .map(({ address, name }) => `${address} ${name}\n`)
        .join(''),
    );
    const ours = await measure(dir, OUR_PORT, [
      process.execPath,
      join(dir, 'server.js'),
      ADDRESS,
      OUR_PORT,
    ]);
    const flags = [
      '--keep-in-foreground',
      '--no-resolv',
      '--no-hosts',
      '--bind-interfaces',
      '--pid-file',
    ];
    const where = [`--addn-hosts=${hosts}`, `--listen-address=${ADDRESS}`, `--port=${PEER_PORT}`];
    const run = ['--conf-file=/dev/null', '--user=root'];
    const peer = await measure(dir, PEER_PORT, ['dnsmasq', ...flags, ...where, ...run]);
    return [
      result('answers', ours.perSecond, peer.perSecond, '/s'),
      result('answers of a processor', ours.perCpuSecond, peer.perCpuSecond, '/s'),
    ];
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
};

const result = (metric: string, ours: number, peerValue: number, unit: string): BenchResult => ({
  ...{ bench: 'dns', metric, ours, peer: 'dnsmasq', peerValue, ratio: ours / peerValue, unit },
});

interface Rates {
  readonly perSecond: number;
  readonly perCpuSecond: number;
}

const measure = async (
  dir: string,
  port: string,
  [program = '', ...args]: readonly string[],
): Promise<Rates> => {
  const server = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  try {
    const client = () =>
      promisify(execFile)(process.execPath, [join(dir, 'client.js'), ADDRESS, port]);
    // The first run finds the server, and finds it warm at its end.
    await client();
    const before = cpuSeconds(server.pid ?? 0);
    const { perSecond, answerCount } = JSON.parse((await client()).stdout) as {
      perSecond: number;
      answerCount: number;
    };
    return { perSecond, perCpuSecond: answerCount / (cpuSeconds(server.pid ?? 0) - before) };
  } finally {
    server.kill();
  }
};

/** Source: proc(5), utime and stime. */
const cpuSeconds = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const [utime = 0, stime = 0] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number);
  return (utime + stime) / TICKS_A_SECOND;
};

const build = (outdir: string): void => {
  buildSync({
    entryPoints: ['server', 'client'].map((name) => join(process.cwd(), `bench/dns/${name}.ts`)),
    ...{ outdir, bundle: true, platform: 'node', target: 'node20', logLevel: 'error' },
    external: ['koffi'],
  });
};

const ADDRESS = '127.53.0.30';
const OUR_PORT = '15392';
const PEER_PORT = '15393';
const TICKS_A_SECOND = 100;
