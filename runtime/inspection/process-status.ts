import { capabilityNames } from '../containers/capabilities';

/** Capabilities of a process by their names without `CAP_`. */
export interface CapabilitySets {
  /** What counts when the kernel is asked. */
  readonly effective: readonly string[];
  readonly permitted: readonly string[];
  /** What it could ever have. */
  readonly bounding: readonly string[];
  /** What a program that it runs keeps without being root. */
  readonly ambient: readonly string[];
}

export interface ProcessIdentity {
  /** As whoever reads it sees them: in a user namespace, the host's numbers. */
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly noNewPrivileges: boolean;
  readonly seccomp: 'disabled' | 'strict' | 'filter';
  /** How many filters are in force, one upon the other. */
  readonly seccompFilters: number;
  readonly capabilities: CapabilitySets;
}

/** Pure: reads `/proc/PID/status`. Source: proc_pid_status(5). @throws Error for a field that is not there */
export const parseStatus = (text: string): ProcessIdentity => {
  const fields = new Map(
    text.split('\n').map((line) => {
      const [name = '', value = ''] = line.split(':\t', 2);
      return [name, value.trim()];
    }),
  );
  const field = (name: string): string => {
    const value = fields.get(name);
    if (value === undefined) throw new Error(`/proc/PID/status has no ${name}`);
    return value;
  };
  const numbers = (name: string) => field(name).split(/\s+/).filter(Boolean).map(Number);
  const capabilities = (name: string) => capabilityNames(BigInt(`0x${field(name)}`));
  // Real, effective, saved and of the file system: what counts is the second.
  const effective = (name: string) => numbers(name)[1] ?? Number.NaN;
  return {
    uid: effective('Uid'),
    gid: effective('Gid'),
    groups: numbers('Groups'),
    noNewPrivileges: field('NoNewPrivs') === '1',
    seccomp: SECCOMP[Number(field('Seccomp'))] ?? 'disabled',
    // Of Linux 5.9.
    seccompFilters: Number(fields.get('Seccomp_filters') ?? 0),
    capabilities: {
      effective: capabilities('CapEff'),
      permitted: capabilities('CapPrm'),
      bounding: capabilities('CapBnd'),
      ambient: capabilities('CapAmb'),
    },
  };
};

const SECCOMP = ['disabled', 'strict', 'filter'] as const;
