import { readFileSync } from 'node:fs';

import { RuntimeError } from '../container-runtime';

/** Bit mask of `CAP_`-less names. @throws RuntimeError for a name the kernel does not have. */
export const capabilityMask = (names: readonly string[]): bigint =>
  names.reduce((mask, name) => {
    const index = NAMES.indexOf(name);
    if (index < 0) throw new RuntimeError('capabilities', `unknown capability "${name}"`);
    return mask | (1n << BigInt(index));
  }, 0n);

/** What this process, and so any container, can have at most. */
export const hostCapabilityMask = (): bigint => {
  const line = /^CapBnd:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return BigInt(`0x${line?.[1] ?? '0'}`);
};

export const capabilityNames = (mask: bigint): string[] =>
  NAMES.filter((_, index) => ((mask >> BigInt(index)) & 1n) === 1n);

/** By number, from linux/capability.h. */
const NAMES = [
  'CHOWN',
  'DAC_OVERRIDE',
  'DAC_READ_SEARCH',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'LINUX_IMMUTABLE',
  'NET_BIND_SERVICE',
  'NET_BROADCAST',
  'NET_ADMIN',
  'NET_RAW',
  'IPC_LOCK',
  'IPC_OWNER',
  'SYS_MODULE',
  'SYS_RAWIO',
  'SYS_CHROOT',
  'SYS_PTRACE',
  'SYS_PACCT',
  'SYS_ADMIN',
  'SYS_BOOT',
  'SYS_NICE',
  'SYS_RESOURCE',
  'SYS_TIME',
  'SYS_TTY_CONFIG',
  'MKNOD',
  'LEASE',
  'AUDIT_WRITE',
  'AUDIT_CONTROL',
  'SETFCAP',
  'MAC_OVERRIDE',
  'MAC_ADMIN',
  'SYSLOG',
  'WAKE_ALARM',
  'BLOCK_SUSPEND',
  'AUDIT_READ',
  'PERFMON',
  'BPF',
  'CHECKPOINT_RESTORE',
];
