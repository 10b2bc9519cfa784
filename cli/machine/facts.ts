import { execFile } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { hostname, networkInterfaces, release } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from '../../lib/clock';
import { describeError } from '../../lib/describe-error';
import { foreignRules, type ForeignRules } from '../../runtime/network';
import { isInPath } from '../cluster/checks';
import { listeners, type Listener } from './listeners';
import { hasSystemd } from './systemd';

/** What checks judge by: a machine as it is now. */
export interface MachineFacts {
  readonly isRoot: boolean;
  readonly hasSystemd: boolean;
  readonly hostname: string;
  readonly kernel: string;
  /** That the kernel knows, after a module was asked for. */
  readonly fileSystems: readonly string[];
  /** Kinds of namespaces that the kernel has. */
  readonly namespaces: readonly string[];
  readonly hasSeccomp: boolean;
  readonly cgroups: { readonly version: 1 | 2; readonly controllers: readonly string[] };
  /** Programs that are missing, of those that Dhow starts. */
  readonly missingPrograms: readonly string[];
  /** Why nftables cannot be used; undefined when they can. */
  readonly nftProblem: string | undefined;
  /** What etcd says of itself; undefined where there is none. */
  readonly etcd: string | undefined;
  readonly listeners: readonly Listener[];
  readonly memoryBytes: number;
  readonly swapBytes: number;
  /** Of the disk with the state: how long it took to write 4 KiB for certain, in the middle of several tries. */
  readonly fsyncMs: number | undefined;
  readonly freeBytes: number;
  /** Ranges that this machine has routes or addresses in, each with the name of the interface. */
  readonly networks: readonly Reached[];
  readonly foreign: ForeignRules;
  /** Files and folders of other orchestrators. */
  readonly leftovers: readonly string[];
}

/** A range, and the interface by which it is reached. */
export interface Reached {
  readonly cidr: string;
  readonly interfaceName: string;
  /** By way of another machine. */
  readonly isVia: boolean;
}

/** Looks at this machine. @param podCidrs for whom others' rules are looked through */
export const machineFacts = async (
  stateDir: string,
  podCidrs: readonly string[],
): Promise<MachineFacts> => {
  const nft = await probeNft(podCidrs);
  return {
    isRoot: process.getuid?.() === 0,
    hasSystemd: hasSystemd(),
    hostname: hostname(),
    kernel: release(),
    fileSystems: await fileSystems(),
    namespaces: NAMESPACES.filter((name) => existsSync(`/proc/self/ns/${name}`)),
    hasSeccomp: existsSync('/proc/sys/kernel/seccomp/actions_avail'),
    cgroups: cgroups(),
    missingPrograms: PROGRAMS.filter((program) => !isInPath(program)),
    ...{ nftProblem: nft.problem, foreign: nft.rules },
    etcd: await etcdVersion(),
    listeners: listeners(),
    ...memory(),
    fsyncMs: fsyncMs(existingPart(stateDir)),
    freeBytes: freeBytes(existingPart(stateDir)),
    networks: networks(),
    leftovers: LEFTOVERS.filter((path) => existsSync(path)),
  };
};

const probeNft = async (
  podCidrs: readonly string[],
): Promise<{ readonly problem: string | undefined; readonly rules: ForeignRules }> => {
  try {
    return { problem: undefined, rules: await foreignRules(podCidrs) };
  } catch (error) {
    return { problem: describeError(error), rules: { drops: [], kubeChains: [] } };
  }
};

const fileSystems = async (): Promise<readonly string[]> => {
  const known = () =>
    [...read('/proc/filesystems').matchAll(/(\S+)$/gm)].map(([, name = '']) => name);
  if (!known().includes(OVERLAY)) await run('modprobe', ['-q', OVERLAY]);
  return known();
};

const cgroups = (): MachineFacts['cgroups'] => {
  const root = '/sys/fs/cgroup';
  const unified = join(root, 'cgroup.controllers');
  if (existsSync(unified)) return { version: 2, controllers: read(unified).trim().split(/\s+/) };
  const controllers = [...read('/proc/cgroups').matchAll(/^(\w+)\s/gm)]
    .map(([, name = '']) => name)
    .filter((name) => existsSync(join(root, name, 'cgroup.procs')));
  return { version: 1, controllers };
};

const etcdVersion = async (): Promise<string | undefined> =>
  /etcd Version:\s*(\S+)/.exec((await run('etcd', ['--version'])) ?? '')?.[1];

const memory = (): Pick<MachineFacts, 'memoryBytes' | 'swapBytes'> => {
  const text = read('/proc/meminfo');
  const kib = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0);
  return { memoryBytes: kib('MemTotal') * 1024, swapBytes: kib('SwapTotal') * 1024 };
};

/** Undefined where nothing can be written. */
const fsyncMs = (folder: string): number | undefined => {
  let scratch: string | undefined;
  try {
    scratch = mkdtempSync(join(folder, '.dhow-fsync-'));
    const file = openSync(join(scratch, 'try'), 'w', 0o600);
    try {
      return medianFsyncMs(file);
    } finally {
      closeSync(file);
    }
  } catch {
    return undefined;
  } finally {
    if (scratch !== undefined) rmSync(scratch, { recursive: true, force: true });
  }
};

const medianFsyncMs = (file: number): number | undefined => {
  const block = Buffer.alloc(4096, 1);
  const startMs = systemClock.monotonicMs();
  const tookMs: number[] = [];
  while (tookMs.length < FSYNC_TRIES && systemClock.monotonicMs() - startMs < FSYNC_TOTAL_MS) {
    const beforeMs = systemClock.monotonicMs();
    writeSync(file, block);
    fdatasyncSync(file);
    tookMs.push(systemClock.monotonicMs() - beforeMs);
  }
  return tookMs.sort((a, b) => a - b)[Math.floor(tookMs.length / 2)];
};

const freeBytes = (folder: string): number => {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
};

/** The folder itself, or the nearest above it that there is. */
const existingPart = (folder: string): string =>
  existsSync(folder) || folder === '/' ? folder : existingPart(dirname(folder));

const networks = (): readonly Reached[] => [
  ...routesIn(read('/proc/net/route')),
  ...Object.entries(networkInterfaces()).flatMap(([interfaceName, list]) =>
    (list ?? []).flatMap(({ cidr, internal }) =>
      cidr === null || internal ? [] : [{ cidr, interfaceName, isVia: false }],
    ),
  ),
];

/** Pure: the ranges of a file as `/proc/net/route`, but for the way to everywhere. */
export const routesIn = (text: string): readonly Reached[] =>
  text.split('\n').flatMap((line) => {
    const fields = line.split('\t');
    const [interfaceName = '', destination = '', gateway = '', , , , , mask = ''] = fields;
    if (!/^[0-9A-F]{8}$/.test(destination) || !/^[0-9A-F]{8}$/.test(mask)) return [];
    const bytes = [...Buffer.from(destination, 'hex').reverse()];
    const bits = lengthOf(mask);
    return bits === 0
      ? []
      : [
          {
            cidr: `${bytes.join('.')}/${bits}`,
            interfaceName,
            isVia: Number(`0x${gateway}`) !== 0,
          },
        ];
  });

const lengthOf = (mask: string): number =>
  parseInt(mask, 16).toString(2).replaceAll('0', '').length;

const run = async (program: string, args: readonly string[]): Promise<string | undefined> => {
  try {
    return (await promisify(execFile)(program, args, { timeout: PROGRAM_TIMEOUT_MS })).stdout;
  } catch {
    return undefined;
  }
};

const read = (file: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
};

const OVERLAY = 'overlay';
const NAMESPACES = ['mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup', 'user'];
const PROGRAMS = ['nft', 'umount'];
const LEFTOVERS = [
  ...[
    '/usr/local/bin/k3s',
    '/etc/systemd/system/k3s.service',
    '/etc/systemd/system/k3s-agent.service',
  ],
  ...['/var/lib/rancher/k3s', '/var/lib/kubelet', '/etc/kubernetes/manifests', '/etc/rancher/rke2'],
  ...['/sys/class/net/cni0', '/sys/class/net/flannel.1', '/sys/class/net/kube-ipvs0'],
];
const PROGRAM_TIMEOUT_MS = 10_000;
const FSYNC_TRIES = 16;
const FSYNC_TOTAL_MS = 3_000;
