import { join } from 'node:path';
import { NEXT_AUTHORITY_FILE, readAuthorities } from '../../control-plane/pki/authorities';
import { certificateLifeOf, type CertificateLife } from '../../lib/certificate-life';
import { rfc3339, systemClock } from '../../lib/clock';
import { describeError } from '../../lib/describe-error';
import { readFileIfPresent } from '../../lib/files';
import { IdentityStore } from '../../node-agent/identity/identity-store';
import { formatViews, listDocument, outputFormat } from '../output/format';
import { formatTable } from '../output/table';
import type { Terminal } from '../output/terminal';
import { UsageError } from '../usage-error';
import { authorityUseOf } from './authority-use';

export interface CertsCheckOptions {
  readonly dataDir: string;
  readonly stateDir: string;
  readonly output?: string;
}

/** What is known of one certificate of a machine. */
export interface CertificateReport {
  readonly name: string;
  readonly file: string;
  readonly expires: string;
  readonly daysLeft: number;
  readonly state: 'Good' | 'Due' | 'Expired' | 'NotYet';
  readonly renewed: string;
}

/** The certificates of this machine, by its files: no server need run. 1 where one is of no use now. */
export const checkCertificates = async (
  terminal: Terminal,
  { dataDir, stateDir, output }: CertsCheckOptions,
): Promise<number> => {
  const format = outputFormat(output);
  const reports = await certificateReports(dataDir, stateDir);
  if (reports.length === 0)
    throw new UsageError(
      `no certificates are here: neither ${join(dataDir, 'pki')} nor an identity in ${stateDir}`,
    );
  const progress = await progressOf(dataDir);
  terminal.out.write(
    formatViews(
      {
        document: listDocument(reports),
        names: reports.map(({ name }) => `certificate/${name}`),
        table: () => `${tableOf(reports)}${progress}`,
      },
      format,
    ),
  );
  return reports.some(({ state }) => state === 'Expired' || state === 'NotYet') ? 1 : 0;
};

/** How far the authority has been replaced; empty where nobody does that. */
const progressOf = async (dataDir: string): Promise<string> => {
  const { next } = (await readAuthorities(join(dataDir, 'pki')).catch(() => undefined)) ?? {};
  if (next === undefined) return '';
  try {
    const { former, nodeCount } = await authorityUseOf(dataDir, next.hash);
    return former.length === 0
      ? `the next authority is the one of all nodes (${nodeCount}): dhow certs rotate --ca --finish ends the former one\n`
      : `of the former authority still: node ${former.join(', node ')}\n`;
  } catch (error) {
    return `which nodes have certificates of the next authority, the server does not tell: ${describeError(error)}\n`;
  }
};

/** What is known of those of a server and of a node, if they are here. @throws UsageError */
export const certificateReports = async (
  dataDir: string,
  stateDir: string,
): Promise<readonly CertificateReport[]> =>
  [...(await ofServer(dataDir)), ...ofNode(stateDir)].map((each) =>
    reportOf(each, systemClock.now()),
  );

interface FoundCertificate {
  readonly name: string;
  readonly file: string;
  readonly pem: string;
  readonly renewed: string;
}

/** Pure: when it ends, and what that means now. @throws Error when it is no certificate */
export const reportOf = (
  { name, file, pem, renewed }: FoundCertificate,
  nowMs: number,
): CertificateReport => {
  const life = lifeIn(file, pem);
  return {
    ...{ name, file, expires: rfc3339(life.untilMs) },
    daysLeft: Math.floor((life.untilMs - nowMs) / DAY_MS),
    state: stateOf(life, nowMs),
    renewed,
  };
};

const lifeIn = (file: string, pem: string): CertificateLife => {
  try {
    return certificateLifeOf(pem);
  } catch (error) {
    throw new UsageError(`${file}: not a certificate: ${describeError(error)}`);
  }
};

/** Due: whoever renews it should have by now. */
const stateOf = (
  { fromMs, untilMs }: CertificateLife,
  nowMs: number,
): CertificateReport['state'] => {
  if (nowMs >= untilMs) return 'Expired';
  if (nowMs < fromMs) return 'NotYet';
  return untilMs - nowMs < (untilMs - fromMs) * DUE_SHARE ? 'Due' : 'Good';
};

const ofServer = async (dataDir: string): Promise<readonly FoundCertificate[]> => {
  const known = [
    ['ca', 'ca.crt', 'by nobody: dhow certs rotate --ca'],
    ['ca-next', NEXT_AUTHORITY_FILE, 'takes the place of ca by dhow certs rotate --ca --finish'],
    ['server', 'server.pem', 'by the server, while it runs or as it starts'],
    ['admin', 'admin.pem', 'by the server; copies of the kubeconfig are not'],
  ] as const;
  const found = await Promise.all(
    known.map(async ([name, base, renewed]) => {
      const file = join(dataDir, 'pki', base);
      const pem = await readFileIfPresent(file).catch((error: unknown) => {
        throw new UsageError(`${describeError(error)}: use sudo`);
      });
      return pem === undefined ? [] : [{ name, file, pem, renewed }];
    }),
  );
  return found.flat();
};

const ofNode = (stateDir: string): readonly FoundCertificate[] => {
  const identity = new IdentityStore(stateDir).load();
  if (identity === undefined) return [];
  return [
    {
      name: `node ${identity.nodeName}`,
      file: join(stateDir, 'identity.json'),
      pem: identity.certificate,
      renewed: 'by its agent, while it runs or as it starts, by its key',
    },
  ];
};

const tableOf = (reports: readonly CertificateReport[]): string =>
  formatTable(
    ['CERTIFICATE', 'EXPIRES', 'DAYS LEFT', 'STATE', 'RENEWED'],
    reports.map(({ name, expires, daysLeft, state, renewed }) => [
      ...[name, expires, String(daysLeft), state, renewed],
    ]),
  );

const DAY_MS = 24 * 3_600_000;
/** Those that renew do it before a third is left. */
const DUE_SHARE = 0.2;
