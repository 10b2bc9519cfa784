import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { isNodeReady } from '../../api/nodes';
import { NODES } from '../../api/resources';
import { readKubeconfig } from '../../client/kubeconfig';
import { RestClient } from '../../client/rest-client';
import { listSnapshots, SNAPSHOTS_FOLDER } from '../../control-plane/backup/save';
import { storedSchemaOf } from '../../control-plane/backup/stored-schema';
import { timedController } from '../../lib/async/timed-controller';
import { systemClock } from '../../lib/clock';
import { describeError } from '../../lib/describe-error';
import { parseJson } from '../../lib/json';
import { formatFindings, standingErrors } from '../output/findings';
import { outputFormat } from '../output/format';
import type { Terminal } from '../output/terminal';
import { UsageError } from '../usage-error';
import { certificateReports } from './certs';
import { dataDirOf, type ServerOptions } from './server-folder';
import { upgradeFindings, versionIn, type UpgradeFacts } from './upgrade-findings';

export interface UpgradeOptions extends ServerOptions {
  readonly check?: boolean;
  readonly to?: string;
  readonly output?: string;
}

/** On the server's machine. Changes nothing; 1 where something stands in the way. */
export const checkUpgrade = async (
  terminal: Terminal,
  { check = false, to, output, ...where }: UpgradeOptions,
): Promise<number> => {
  if (!check)
    throw new UsageError(
      'dhow upgrade only looks: --check. The new version itself comes with its package: dpkg -i dhow_VERSION_ARCH.deb',
    );
  if (to !== undefined && versionIn(to) === undefined)
    throw new UsageError(`--to: "${to}" is not a version like 0.2.0`);
  outputFormat(output);
  const target = to ?? process.env['DHOW_VERSION'] ?? '';
  const findings = upgradeFindings(await gather(dataDirOf(where), target));
  terminal.out.write(formatFindings(findings, output));
  return standingErrors(findings, []).length > 0 ? 1 : 0;
};

/** What of all that cannot be asked says why. */
const gather = async (dataDir: string, target: string): Promise<UpgradeFacts> => {
  using limit = timedController(systemClock, TIMEOUT_MS);
  const { signal } = limit;
  const why = (error: unknown) => ({ problem: describeError(error) });
  const [cluster, schema, certificates, { bavail, bsize }, snapshots] = await Promise.all([
    clusterOf(dataDir, signal).catch(why),
    storedSchemaOf(dataDir, signal).catch(why),
    certificateReports(dataDir, AGENT_FOLDER),
    statfs(dataDir),
    listSnapshots(join(dataDir, SNAPSHOTS_FOLDER)),
  ]);
  const times = snapshots.flatMap(({ header }) =>
    header === undefined ? [] : [Date.parse(header.createdAt)],
  );
  return {
    ...{ target, cluster, schema, certificates, nowMs: systemClock.now() },
    freeBytes: bavail * bsize,
    snapshotAtMs: times.length === 0 ? undefined : Math.max(...times),
  };
};

const clusterOf = async (dataDir: string, signal: AbortSignal) => {
  const client = new RestClient(await readKubeconfig(join(dataDir, 'admin.kubeconfig')));
  try {
    const { text } = await client.http.text({ method: 'GET', path: '/version', signal });
    const version = parseJson(text) as { readonly gitVersion?: string };
    const { items } = await client.list(NODES, {}, signal);
    const nodes = items.map((node) => ({
      name: node.metadata.name,
      version: node.status.nodeInfo?.kubeletVersion ?? '',
      isReady: isNodeReady(node),
    }));
    return { server: version.gitVersion ?? '', nodes };
  } finally {
    client.http.close();
  }
};

const AGENT_FOLDER = '/var/lib/dhow/agent';
const TIMEOUT_MS = 15_000;
