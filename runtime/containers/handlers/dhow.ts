import { join } from 'node:path';

import type { CgroupDriver } from '../../cgroups';
import type { ContainerSpec, ExecSpec, SeccompSpec, SecuritySpec } from '../../container-runtime';
import { grantedDevices, hostDevices } from '../host-devices';
import { containerPlan, execPlan, type DeviceNode } from '../launch-plan';
import { capabilityNames } from '../capabilities';
import type { RunFiles } from '../records';
import { pinsOf } from '../sandboxes';
import { DHOW_FEATURES } from './features';
import type { Handler, PlannedContainer, PlannedExec } from './handler';
import { grantedCapabilities } from './security';

export interface DhowHandlerDeps {
  readonly files: RunFiles;
  readonly cgroups: CgroupDriver;
  readonly filter: (spec: SeccompSpec, capabilities: readonly string[]) => Uint8Array | undefined;
  readonly version: string;
  readonly logMaxBytes: number;
  readonly logMaxFiles: number;
}

/** Dhow's own: the launcher makes the container, and the monitor is the parent of its init. */
export const dhowHandler = (deps: DhowHandlerDeps): Handler => ({
  info: {
    name: 'dhow',
    version: deps.version,
    path: '',
    features: DHOW_FEATURES,
  },
  prepare: (container) => prepare(deps, container),
  exec: (container, exec) => planExec(deps, container, exec),
  discard: () => Promise.resolve(),
});

const prepare = (deps: DhowHandlerDeps, container: PlannedContainer): Buffer => {
  const { files, cgroups } = deps;
  const { spec, sandbox, cgroup, processesOf } = container;
  const sandboxDir = files.sandboxDir(sandbox.id);
  const layerDir = files.layerDir(spec.id);
  cgroups.restrictDevices(cgroup, spec.security.privileged, grantedDevices(spec.devices ?? []));
  return containerPlan({
    spec,
    runDir: files.containerDir(spec.id),
    socketPath: files.socketPath(spec.id),
    upperDir: join(layerDir, 'upper'),
    workDir: join(layerDir, 'work'),
    rootfsDir: files.mountPoint,
    shmDir: sandbox.hostIpc ? '/dev/shm' : join(sandboxDir, 'shm'),
    cgroup: {
      joinFiles: cgroups.joinFiles(cgroup),
      killDir: cgroups.killDir(cgroup),
      oomDir: cgroups.oomDir(cgroup),
      mounts: cgroups.mounts(),
    },
    namespaces: pinsOf(sandbox, sandboxDir),
    processesOf,
    ...securityOf(deps, spec.security),
    devices: devicesOf(spec),
    logMaxBytes: deps.logMaxBytes,
    logMaxFiles: deps.logMaxFiles,
  });
};

const planExec = (
  deps: DhowHandlerDeps,
  { spec }: PlannedContainer,
  exec: ExecSpec,
): PlannedExec => ({
  plan: execPlan({ container: spec, exec, ...securityOf(deps, spec.security) }),
  release: () => undefined,
});

const securityOf = ({ cgroups, filter }: DhowHandlerDeps, security: SecuritySpec) => {
  const capabilities = grantedCapabilities(security, cgroups);
  if (security.privileged) return { capabilities, seccomp: undefined };
  return { capabilities, seccomp: filter(security.seccomp, capabilityNames(capabilities)) };
};

/** Where the host's own are all there, those that are named come in their place. */
const devicesOf = ({ devices = [], security }: ContainerSpec): readonly DeviceNode[] => {
  const granted = new Map<string, DeviceNode>(
    security.privileged ? hostDevices().map((device) => [device.path, device]) : [],
  );
  for (const device of grantedDevices(devices)) granted.set(device.path, device);
  return [...granted.values()];
};
