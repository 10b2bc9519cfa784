import type { StoredSchema } from '../../control-plane/backup/stored-schema';
import type { Finding } from '../output/findings';
import type { CertificateReport } from './certs';

/** Why something could not be asked. */
interface Problem {
  readonly problem: string;
}

interface ClusterFacts {
  /** As `/version` and nodes tell it, with the version of Kubernetes in front. */
  readonly server: string;
  readonly nodes: readonly {
    readonly name: string;
    readonly version: string;
    readonly isReady: boolean;
  }[];
}

/** What is known before another version is installed. */
export interface UpgradeFacts {
  /** The version that is to follow. */
  readonly target: string;
  readonly cluster: ClusterFacts | Problem;
  readonly schema: StoredSchema | Problem;
  readonly certificates: readonly Pick<CertificateReport, 'name' | 'state' | 'daysLeft'>[];
  readonly freeBytes: number;
  /** When the newest snapshot was made; undefined: there is none. */
  readonly snapshotAtMs: number | undefined;
  readonly nowMs: number;
}

/** Pure: what stands in the way of an upgrade, and what does not. */
export const upgradeFindings = (facts: UpgradeFacts): readonly Finding[] => [
  ...clusterFindings(facts),
  storeFinding(facts.schema),
  snapshotFinding(facts),
  certificateFinding(facts.certificates),
  diskFinding(facts.freeBytes),
];

interface Version {
  readonly major: number;
  readonly minor: number;
  readonly text: string;
}

/** Of Dhow: in `0.2.0`, `v1.34.1+dhow-0.2.0` or `v1.34.1-dhow.0.2.0`. */
export const versionIn = (text: string): Version | undefined => {
  const [, major, minor, patch] = /^(?:v[\d.]+[+-]dhow[.-])?(\d+)\.(\d+)\.(\d+)/.exec(text) ?? [];
  return major === undefined
    ? undefined
    : { major: Number(major), minor: Number(minor), text: `${major}.${minor}.${patch}` };
};

const clusterFindings = ({ cluster, target }: UpgradeFacts): readonly Finding[] => {
  if ('problem' in cluster)
    return [
      {
        check: 'server',
        severity: 'error',
        message: `the server does not answer: ${cluster.problem}`,
        remedy: 'systemctl status dhow-server',
      },
    ];
  const wanted = versionIn(target);
  return [
    serverFinding(versionIn(cluster.server), wanted),
    agentsFinding(cluster.nodes, wanted),
    readyFinding(cluster.nodes),
  ];
};

const serverFinding = (server: Version | undefined, wanted: Version | undefined): Finding => {
  const check = 'server';
  if (server === undefined || wanted === undefined)
    return { check, severity: 'warning', message: 'the version of this build is not known' };
  const message = `${server.text}, to be ${wanted.text}`;
  if (isApart(server, wanted))
    return {
      ...{ check, severity: 'error', message: `${message}: more than one minor version apart` },
      remedy: `one after the other: first ${wanted.major}.${stepOf(server, wanted)}`,
    };
  if (isOlder(wanted, server))
    return {
      ...{ check, severity: 'error', message: `${message}: an older one may not read its store` },
      remedy: 'dhow etcd snapshot restore of a snapshot that the older one saved',
    };
  return { check, severity: 'ok', message };
};

const stepOf = (from: Version, to: Version): number =>
  from.major === to.major ? from.minor + Math.sign(to.minor - from.minor) : 0;

const agentsFinding = (nodes: ClusterFacts['nodes'], wanted: Version | undefined): Finding => {
  const check = 'agents';
  const all = nodes.map(({ name, version }) => ({ name, version: versionIn(version) }));
  const apart = all.filter(
    ({ version }) => version !== undefined && wanted !== undefined && isApart(version, wanted),
  );
  if (apart.length > 0)
    return {
      ...{ check, severity: 'error' },
      message: `more than one minor version from ${wanted?.text ?? ''}: ${apart
        .map(({ name, version }) => `${name} (${version?.text ?? ''})`)
        .join(', ')}`,
      remedy: 'bring these nodes to the version of the server first',
    };
  const versions = [...new Set(all.map(({ version }) => version?.text ?? 'not known'))].sort();
  return { check, severity: 'ok', message: `${nodes.length}: ${versions.join(', ') || 'none'}` };
};

const isApart = (a: Version, b: Version): boolean =>
  a.major !== b.major || Math.abs(a.minor - b.minor) > 1;

const isOlder = (a: Version, b: Version): boolean =>
  a.major < b.major || (a.major === b.major && a.minor < b.minor);

const readyFinding = (nodes: ClusterFacts['nodes']): Finding => {
  const check = 'nodes';
  const away = nodes.filter(({ isReady }) => !isReady).map(({ name }) => name);
  return away.length === 0
    ? { check, severity: 'ok', message: `${nodes.length} are Ready` }
    : {
        ...{ check, severity: 'error', message: `not Ready: ${away.join(', ')}` },
        remedy: 'dhow why node/NAME; or dhow delete node NAME for one that is gone for good',
      };
};

const storeFinding = (schema: StoredSchema | Problem): Finding => {
  const check = 'store';
  if ('problem' in schema)
    return { check, severity: 'error', message: `etcd was not asked: ${schema.problem}` };
  if (schema.refusal !== undefined) return { check, severity: 'error', message: schema.refusal };
  const { schema: number, writtenBy = '' } = schema;
  return number === undefined
    ? { check, severity: 'ok', message: 'says nothing of its schema' }
    : { check, severity: 'ok', message: `schema ${number}, by ${writtenBy}` };
};

const snapshotFinding = ({ snapshotAtMs, nowMs }: UpgradeFacts): Finding => {
  const check = 'snapshot';
  const remedy = 'dhow etcd snapshot save --passphrase-file FILE';
  if (snapshotAtMs === undefined)
    return {
      ...{ check, severity: 'error', remedy },
      message: 'none in the folder of the server: there would be no way back',
    };
  const hours = Math.floor((nowMs - snapshotAtMs) / HOUR_MS);
  return hours >= SNAPSHOT_HOURS_MAX
    ? { check, severity: 'warning', message: `the newest is ${hours} hours old`, remedy }
    : { check, severity: 'ok', message: `the newest is ${hours} hours old` };
};

const certificateFinding = (all: UpgradeFacts['certificates']): Finding => {
  const check = 'certificates';
  const remedy = 'dhow certs rotate; dhow certs check shows them';
  const listed = (states: readonly string[]) =>
    all
      .filter(({ state }) => states.includes(state))
      .map(({ name, state, daysLeft }) => `${name} (${state}, ${daysLeft} days)`)
      .join(', ');
  const useless = listed(['Expired', 'NotYet']);
  if (useless !== '') return { check, severity: 'error', message: useless, remedy };
  const due = listed(['Due']);
  return due === ''
    ? { check, severity: 'ok', message: `${all.length} are good` }
    : { check, severity: 'warning', message: due, remedy };
};

const diskFinding = (freeBytes: number): Finding => {
  const check = 'disk-space';
  const message = `${Math.floor(freeBytes / MEBIBYTE)} MiB free beside the store`;
  return freeBytes >= FREE_BYTES_MIN
    ? { check, severity: 'ok', message }
    : { check, severity: 'error', message, remedy: 'the new package and a snapshot take 500 MiB' };
};

const HOUR_MS = 3_600_000;
const SNAPSHOT_HOURS_MAX = 24;
const MEBIBYTE = 1024 * 1024;
const FREE_BYTES_MIN = 500 * MEBIBYTE;
