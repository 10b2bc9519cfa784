import type { CgroupDriver } from '../../cgroups';
import type { SecuritySpec } from '../../container-runtime';
import { capabilityMask, capabilityNames, hostCapabilityMask } from '../capabilities';

/** What a container's processes may have, of what this host has. */
export const grantedCapabilities = (
  security: SecuritySpec,
  { version }: Pick<CgroupDriver, 'version'>,
): bigint => {
  if (security.privileged) return HOST_CAPABILITIES;
  const capabilities = capabilityMask(security.capabilities) & HOST_CAPABILITIES;
  // v1 denies devices by their number. On v2 nobody may make one; all mounts but /dev are nodev.
  return version === 2 ? capabilities & ~capabilityMask(['MKNOD']) : capabilities;
};

export const grantedCapabilityNames = (
  security: SecuritySpec,
  cgroups: Pick<CgroupDriver, 'version'>,
): readonly string[] => capabilityNames(grantedCapabilities(security, cgroups));

/** What this process, and so any container, can have at most: read once. */
export const HOST_CAPABILITIES = hostCapabilityMask();
