import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bridgeNameOf } from '../../../runtime/network/lab';

/**
 * Lines of what a cluster that has ended has left of its own, and of what it has changed of the machine's:
 * each a leak. `before` is what `sharedState` was when nothing had started.
 */
export const leftBehind = (cluster: string, before: readonly string[]): readonly string[] => {
  const now = sharedState();
  return [
    ...stateOf(cluster),
    ...now.filter((line) => !before.includes(line)),
    ...before.filter((line) => !now.includes(line)).map((line) => `no more: ${line}`),
  ];
};

/** What all clusters and others have together, as lines. */
export const sharedState = (): readonly string[] => [
  ...lines('nft', ['list', 'tables']).map((line) => `nft ${line}`),
  `forwarding ${readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').trim()}`,
];

/** All that is a cluster's alone, as lines. */
const stateOf = (cluster: string): readonly string[] => [
  ...processes(cluster),
  ...mounts(cluster),
  ...cgroups(cluster),
  ...lines('ip', ['netns', 'list'])
    .filter((line) => line.startsWith(`dhow-${cluster}-`))
    .map((line) => `netns ${line}`),
  ...ofNetwork(cluster, lines('ip', ['-o', 'link'])),
  ...ofNetwork(cluster, lines('ip', ['route'])),
  ...[`/var/lib/dhow/${cluster}`, `/run/dhow/${cluster}`, `/run/dhow/${cluster}.lock`]
    .filter(existsSync)
    .map((path) => `folder ${path}`),
];

/** What names the cluster's bridge, or a link that bears its hash. */
const ofNetwork = (cluster: string, all: readonly string[]): string[] => {
  const hash = bridgeNameOf(cluster).replace(/^.*-/, '');
  return all.filter((line) => line.includes(hash));
};

/** Programs of the cluster by their folders, and what runs in its cgroups. */
const processes = (cluster: string): string[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
        const cgroup = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
        const isOurs =
          command.includes(`/dhow/${cluster}/`) || cgroup.includes(`/dhow/${cluster}/`);
        return isOurs ? [`process ${command}`] : [];
      } catch {
        // It ended while we looked.
        return [];
      }
    })
    .sort();

const mounts = (cluster: string): string[] =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((path) => path.includes(`/dhow/${cluster}/`))
    .map((path) => `mount ${path}`)
    .sort();

const cgroups = (cluster: string): string[] => {
  const root = '/sys/fs/cgroup';
  if (!existsSync(root)) return [];
  return [root, ...readdirSync(root).map((name) => join(root, name))]
    .map((folder) => join(folder, 'dhow', cluster))
    .filter(existsSync)
    .map((folder) => `cgroup ${folder}`);
};

const lines = (command: string, args: readonly string[]): string[] =>
  execFileSync(command, args, { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line !== '')
    .sort();
