import { describeError } from '../../lib/describe-error';
import { parseAddress } from '../../control-plane/config';
import { readFileIfPresent } from '../../lib/files';
import { UsageError } from '../usage-error';
import { DEFAULT_RANGES, type Role } from './checks';
import { standingErrors, tellFindings, type Finding } from '../output/findings';
import { flagsIn, textFlag, type FlagsOfFile } from './flag-file';
import { AGENT_DIR, SERVER_DIR } from './places';

/** A file of flags, as it is. */
export interface FlagFile {
  readonly path: string;
  readonly text: string;
  readonly flags: FlagsOfFile;
}

/** Empty where there is none. @throws UsageError naming file and line */
export const readFlagFile = async (path: string): Promise<FlagFile> => {
  const text = (await readFileIfPresent(path)) ?? '';
  return { path, text, flags: flagsIn(path, text) };
};

export const flagOf = ({ path, flags }: FlagFile, name: string): string | undefined =>
  textFlag(path, flags, name);

/** Of a server whose file says so. @throws UsageError */
export const serverPlaces = (file: FlagFile) => {
  const dataDir = flagOf(file, 'data-dir') ?? SERVER_DIR;
  return { dataDir, pkiDir: `${dataDir}/pki`, kubeconfig: `${dataDir}/admin.kubeconfig` };
};

/** Of a node whose file says so. @throws UsageError */
export const agentPlaces = (file: FlagFile) => ({
  stateDir: flagOf(file, 'state-dir') ?? AGENT_DIR,
});

/** The ports of a server that listens there. @throws UsageError */
export const serverPorts = (file: FlagFile, listen: string): readonly number[] => {
  const agents = flagOf(file, 'agents-listen');
  const { port } = addressIn(file, 'listen', listen);
  return [port, agents === undefined ? port + 1 : addressIn(file, 'agents-listen', agents).port];
};

/** As the ranges of its pods and services stand in a server's file. */
export const rangesIn = (file: FlagFile): Pick<Role, 'podCidrs' | 'serviceCidrs'> => ({
  podCidrs: flagOf(file, 'cluster-cidr')?.split(',') ?? DEFAULT_RANGES.podCidrs,
  serviceCidrs: flagOf(file, 'service-cluster-ip-range')?.split(',') ?? DEFAULT_RANGES.serviceCidrs,
});

export const ingressPortsIn = (file: FlagFile): readonly number[] =>
  [flagOf(file, 'ingress-http-port') ?? '80', flagOf(file, 'ingress-https-port') ?? '443']
    .map(Number)
    .filter((port) => port !== 0);

/** @throws UsageError naming the file */
export const addressIn = (file: FlagFile, name: string, text: string) => {
  try {
    return parseAddress(text);
  } catch (error) {
    throw new UsageError(`${file.path}: ${name}: ${describeError(error)}`);
  }
};

/** Says what is to be known, and stops before anything is changed. @throws UsageError for what stands in the way */
export const insistOn = (
  findings: readonly Finding[],
  ignored: readonly string[],
  say: (text: string) => void,
): void => {
  const standing = standingErrors(findings, ignored);
  const others = findings.filter((each) => !standing.includes(each));
  for (const text of tellFindings(others)) say(text);
  if (standing.length === 0) return;
  throw new UsageError(
    `this machine is not ready; nothing was changed:\n${tellFindings(standing)
      .map((text) => `  ${text}`)
      .join('\n')}\n` +
      'Mend it and say it again, or go on with --ignore-preflight-errors NAME,...',
  );
};
