import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { UsageError } from '../usage-error';

/** What a cluster needs of its machine, each with the command that brings it. */
const PROGRAMS: readonly (readonly [string, string])[] = [
  ['etcd', 'apt-get install -y --no-install-recommends etcd-server'],
  ['ip', 'apt-get install -y iproute2'],
  ['nsenter', 'apt-get install -y util-linux'],
  ['nft', 'apt-get install -y nftables'],
];

/** @throws UsageError that names all that is missing and how to get it. */
export const checkMachine = (bundleDir: string): void => {
  if (process.getuid?.() !== 0) throw new UsageError('namespaces and cgroups need root: use sudo');
  const missing = PROGRAMS.filter(([program]) => !isInPath(program)).map(
    ([program, remedy]) => `${program} is missing: ${remedy}`,
  );
  if (!existsSync(join(bundleDir, 'dhow-launcher'))) {
    missing.push('the launcher is not built: deploy/prerequisites.sh && npm run build');
  }
  if (missing.length > 0) throw new UsageError(missing.join('\n'));
};

export const isInPath = (program: string): boolean =>
  [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'].some((folder) =>
    existsSync(join(folder, program)),
  );
