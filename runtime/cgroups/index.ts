import { existsSync } from 'node:fs';

import type { CgroupDriver } from './driver';
import { CgroupV1Driver } from './v1';
import { CgroupV2Driver } from './v2';

export type { CgroupDriver, CgroupMount } from './driver';
export { CgroupV1Driver, v1Settings } from './v1';
export { CgroupV2Driver, cpuWeight, v2Settings } from './v2';

/** The driver for what this host has: v2 only where it is the whole of /sys/fs/cgroup. */
export const probeCgroups = (): CgroupDriver =>
  existsSync('/sys/fs/cgroup/cgroup.controllers') ? new CgroupV2Driver() : new CgroupV1Driver();
