/** What a container may do unless its pod says otherwise. Source: the default list of container engines. */
const DEFAULT_CAPABILITIES: readonly string[] = [
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'NET_RAW',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
];

const ALL_CAPABILITIES: readonly string[] = [
  ...DEFAULT_CAPABILITIES,
  'AUDIT_CONTROL',
  'AUDIT_READ',
  'BLOCK_SUSPEND',
  'BPF',
  'CHECKPOINT_RESTORE',
  'DAC_READ_SEARCH',
  'IPC_LOCK',
  'IPC_OWNER',
  'LEASE',
  'LINUX_IMMUTABLE',
  'MAC_ADMIN',
  'MAC_OVERRIDE',
  'NET_ADMIN',
  'NET_BROADCAST',
  'PERFMON',
  'SYSLOG',
  'SYS_ADMIN',
  'SYS_BOOT',
  'SYS_MODULE',
  'SYS_NICE',
  'SYS_PACCT',
  'SYS_PTRACE',
  'SYS_RAWIO',
  'SYS_RESOURCE',
  'SYS_TIME',
  'SYS_TTY_CONFIG',
  'WAKE_ALARM',
];

/** The default set with `drop` taken away and `add` put in; `ALL` in either means every one. */
export const capabilitiesOf = (
  change: { readonly add?: readonly string[]; readonly drop?: readonly string[] } | undefined,
): readonly string[] => {
  const add = (change?.add ?? []).map(plainName);
  const drop = (change?.drop ?? []).map(plainName);
  const base = add.includes('ALL') ? ALL_CAPABILITIES : DEFAULT_CAPABILITIES;
  // ALL dropped and some added is the usual way to name exactly what is allowed.
  const kept = drop.includes('ALL') ? [] : base.filter((name) => !drop.includes(name));
  const added = add.filter((name) => name !== 'ALL');
  return [...new Set([...kept, ...added])].sort();
};

const plainName = (name: string): string => name.toUpperCase().replace(/^CAP_/, '');
