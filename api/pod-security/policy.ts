import { invalid, type FieldError } from '../validation/field-error';
import { BASELINE, RESTRICTED } from './checks';
import type { Finding, PodShape } from './pod-shape';

export type Mode = 'enforce' | 'audit' | 'warn';

/** A standard of one version: `restricted:v1.30`. */
export interface Standard {
  readonly level: Level;
  readonly version: string;
}

type Level = 'privileged' | 'baseline' | 'restricted';
type Labels = Readonly<Record<string, string>>;

/** What a namespace asks of its pods. Whoever enforces a standard also wants to hear of it early. */
export const standardFor = (mode: Mode, labels: Labels | undefined = {}): Standard => {
  const own = ownStandard(mode, labels);
  if (mode !== 'warn' || labels[label('warn')] !== undefined) return own;
  return ownStandard('enforce', labels);
};

/** Labels of a namespace that name no level or no version. */
export const checkSecurityLabels = (labels: Labels | undefined = {}): readonly FieldError[] =>
  MODES.flatMap((mode) => {
    const [level, version] = [labels[label(mode)], labels[`${label(mode)}-version`]];
    const at = (key: string) => `metadata.labels[${key}]`;
    return [
      ...(level === undefined || isLevel(level)
        ? []
        : [invalid(at(label(mode)), level, `must be one of ${LEVELS.join(', ')}`)]),
      ...(version === undefined || VERSION.test(version)
        ? []
        : [invalid(at(`${label(mode)}-version`), version, 'must be "latest" or "v1.x"')]),
    ];
  });

/** In what a pod does not keep to a standard, in upstream's order. */
export const violationsOf = (pod: PodShape, { level, version }: Standard): readonly Finding[] => {
  if (level === 'privileged') return [];
  const minor = minorOf(version);
  const isRestricted = level === 'restricted';
  const checks = [
    ...BASELINE.filter(({ isReplaced }) => !isRestricted || isReplaced !== true),
    ...(isRestricted ? RESTRICTED : []),
  ];
  return checks
    .filter(({ since }) => since <= minor)
    .flatMap(({ check }) => check(pod, minor) ?? []);
};

/** `restricted:latest` */
export const nameOfStandard = ({ level, version }: Standard): string => `${level}:${version}`;

/** `hostPort (container "a" uses hostPort 80), ...` */
export const describeFindings = (findings: readonly Finding[]): string =>
  findings.map(({ reason, detail }) => `${reason} (${detail})`).join(', ');

const ownStandard = (mode: Mode, labels: Labels): Standard => {
  const level = labels[label(mode)] ?? 'privileged';
  // What names no level can only have been stored before levels were looked at: nothing passes less.
  return {
    level: isLevel(level) ? level : 'restricted',
    version: labels[`${label(mode)}-version`] ?? 'latest',
  };
};

const minorOf = (version: string): number =>
  version.startsWith('v1.') ? Number(version.slice('v1.'.length)) : Infinity;

const label = (mode: Mode): string => `pod-security.kubernetes.io/${mode}`;
const isLevel = (text: string): text is Level => (LEVELS as readonly string[]).includes(text);

const MODES: readonly Mode[] = ['enforce', 'audit', 'warn'];
const LEVELS: readonly Level[] = ['privileged', 'baseline', 'restricted'];
const VERSION = /^(latest|v1\.(0|[1-9]\d{0,3}))$/;
