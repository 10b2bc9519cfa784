import {
  type Profile,
  type ProfileAction,
  type ProfileConditions,
  type ProfileRule,
} from './profile';

/** A comparison of one argument: `op` applied to it and `value`. */
export interface ArgumentTest {
  readonly index: number;
  readonly op: 'eq' | 'ge' | 'gt';
  /** Inverts the outcome: ne, lt and le are the other three's opposites. */
  readonly isInverted: boolean;
  readonly value: bigint;
  readonly mask: bigint;
}

/** `action` is what the kernel takes as a filter's return value. All tests must hold. */
export interface SyscallRule {
  readonly action: number;
  readonly tests: readonly ArgumentTest[];
}

/** A profile decided for one host and one set of capabilities. */
export interface RuleSet {
  readonly defaultAction: number;
  /** By name of the system call, in the profile's order. */
  readonly rules: ReadonlyMap<string, readonly SyscallRule[]>;
  /** Beside the host's own. */
  readonly hasX86: boolean;
  readonly hasX32: boolean;
}

export interface Host {
  /** As `uname -r` says it. */
  readonly kernelRelease: string;
  /** Without `CAP_`. */
  readonly capabilities: readonly string[];
}

/** Drops what does not apply here, and what says no more than the default action. */
export const resolveRules = (profile: Profile, host: Host): RuleSet => {
  const defaultAction = actionValue(profile.defaultAction, profile.defaultErrnoRet);
  const rules = new Map<string, SyscallRule[]>();
  for (const rule of applicableRules(profile, host)) {
    const action = actionValue(rule.action, rule.errnoRet);
    for (const name of namesOf(rule)) {
      const ofName = rules.get(name) ?? [];
      rules.set(name, ofName);
      // The name stays known, so that the filter can tell "refused" from "never heard of".
      if (action === defaultAction) continue;
      ofName.push(...alternatives(rule).map((tests) => ({ action, tests })));
    }
  }
  const architectures = architecturesOf(profile);
  return {
    defaultAction,
    rules,
    hasX86: architectures.includes('SCMP_ARCH_X86'),
    hasX32: architectures.includes('SCMP_ARCH_X32'),
  };
};

/** Those that hold on this host, for these capabilities. */
export const applicableRules = (profile: Profile, host: Host): readonly ProfileRule[] =>
  (profile.syscalls ?? []).filter((rule) => applies(rule, host));

export const namesOf = ({ name, names }: ProfileRule): readonly string[] =>
  typeof name === 'string' ? [name, ...(names ?? [])] : (names ?? []);

export const architecturesOf = ({ architectures, archMap }: Profile): readonly string[] =>
  architectures ??
  archMap?.find(({ architecture }) => architecture === NATIVE)?.subArchitectures ??
  [];

const applies = ({ includes, excludes }: ProfileRule, host: Host): boolean => {
  const holds = (capability: string) => host.capabilities.includes(capability.replace(/^CAP_/, ''));
  const isListed = (list: ProfileConditions['arches']) => list?.includes(NATIVE_GO_NAME);
  if (excludes?.caps?.some(holds) === true) return false;
  if (excludes?.arches?.length && isListed(excludes.arches)) return false;
  if (excludes?.minKernel && isAtLeast(host.kernelRelease, excludes.minKernel)) return false;
  if (includes?.caps?.every(holds) === false) return false;
  if (includes?.arches?.length && !isListed(includes.arches)) return false;
  return !includes?.minKernel || isAtLeast(host.kernelRelease, includes.minKernel);
};

const isAtLeast = (release: string, minimum: string): boolean => {
  const [major = 0, minor = 0] = release.split(/[.-]/).map(Number);
  const [minMajor = 0, minMinor = 0] = minimum.split('.').map(Number);
  return major > minMajor || (major === minMajor && minor >= minMinor);
};

/** Two tests of one argument are alternatives, as the tools that defined this format have it. */
const alternatives = ({ args }: ProfileRule): readonly (readonly ArgumentTest[])[] => {
  const tests = (args ?? []).map(testOf);
  const isRepeated = new Set(tests.map(({ index }) => index)).size < tests.length;
  return isRepeated ? tests.map((test) => [test]) : [tests];
};

const testOf = (arg: NonNullable<ProfileRule['args']>[number]): ArgumentTest => {
  const { index, op } = arg;
  const value = BigInt(arg.value);
  const base = { index, value, mask: ALL_BITS, isInverted: false };
  switch (op) {
    case 'SCMP_CMP_EQ':
      return { ...base, op: 'eq' };
    case 'SCMP_CMP_NE':
      return { ...base, op: 'eq', isInverted: true };
    case 'SCMP_CMP_GE':
      return { ...base, op: 'ge' };
    case 'SCMP_CMP_LT':
      return { ...base, op: 'ge', isInverted: true };
    case 'SCMP_CMP_GT':
      return { ...base, op: 'gt' };
    case 'SCMP_CMP_LE':
      return { ...base, op: 'gt', isInverted: true };
    case 'SCMP_CMP_MASKED_EQ':
      return { ...base, op: 'eq', mask: value, value: BigInt(arg.valueTwo ?? 0) & value };
  }
};

/** `SECCOMP_RET_*` with its data. */
const actionValue = (action: ProfileAction, errno: number | null | undefined): number => {
  switch (action) {
    case 'SCMP_ACT_KILL':
    case 'SCMP_ACT_KILL_THREAD':
      return 0;
    case 'SCMP_ACT_KILL_PROCESS':
      return 0x80000000;
    case 'SCMP_ACT_TRAP':
      return 0x00030000;
    case 'SCMP_ACT_ERRNO':
      return 0x00050000 + (errno ?? EPERM);
    case 'SCMP_ACT_TRACE':
      return 0x7ff00000 + (errno ?? EPERM);
    case 'SCMP_ACT_LOG':
      return 0x7ffc0000;
    case 'SCMP_ACT_ALLOW':
      return 0x7fff0000;
  }
};

const EPERM = 1;
const ALL_BITS = 0xffffffffffffffffn;
const NATIVE = 'SCMP_ARCH_X86_64';
const NATIVE_GO_NAME = 'amd64';
