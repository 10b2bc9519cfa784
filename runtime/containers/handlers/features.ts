import type { HandlerFeatures } from '../../container-runtime';

export const DHOW_FEATURES: HandlerFeatures = {
  recursiveReadOnlyMounts: true,
  userNamespaces: false,
  sharedProcesses: true,
  hostPid: true,
  hostIpc: true,
  privileged: true,
  devices: true,
  blockVolumes: true,
  bidirectionalMounts: true,
  localhostSeccomp: true,
  sysctls: true,
  execTerminals: true,
};

/** Of any runtime that is called: what has to be made by the launcher itself is missing. */
const CALLED: HandlerFeatures = {
  ...DHOW_FEATURES,
  recursiveReadOnlyMounts: false,
  sharedProcesses: false,
  blockVolumes: false,
  bidirectionalMounts: false,
};

/** Processes, devices and system calls are those of its own kernel. */
const OF_OWN_KERNEL: HandlerFeatures = {
  ...CALLED,
  hostPid: false,
  hostIpc: false,
  privileged: false,
  devices: false,
  localhostSeccomp: false,
  sysctls: false,
};

export const calledFeatures = (
  kind: 'runc' | 'crun' | 'runsc',
  version: string,
): HandlerFeatures => {
  if (kind !== 'runsc') return CALLED;
  // Versions are days. Those of 2022 give a further process no terminal that it knows for one.
  const [day = '0'] = /\d{8}/.exec(version) ?? [];
  return { ...OF_OWN_KERNEL, execTerminals: Number(day) >= 20_230_101 };
};
