import { memoryLimitFiles } from './memory-limit';

const V1 = (root: string) =>
  `30 25 0:26 ${root} /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n` +
  `31 25 0:27 ${root} /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n`;
const V2 = '31 25 0:27 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n';
const ON_V1 = '/sys/fs/cgroup/memory';

it.each<[string, string, string, readonly string[]]>([
  [
    'of v2, with all above it',
    '0::/system.slice/dhow.service\n',
    V2,
    ['', '/system.slice', '/system.slice/dhow.service'].map(
      (path) => `/sys/fs/cgroup${path}/memory.max`,
    ),
  ],
  [
    'of v1',
    '9:cpu:/other\n4:memory:/dhow\n',
    V1('/'),
    [`${ON_V1}/memory.limit_in_bytes`, `${ON_V1}/dhow/memory.limit_in_bytes`],
  ],
  [
    'of a container, whose mount is its own',
    '4:memory:/docker/a\n',
    V1('/docker/a'),
    [`${ON_V1}/memory.limit_in_bytes`],
  ],
  [
    'that is seen through a mount of another namespace',
    '4:memory:/../dhow\n',
    V1('/..'),
    [`${ON_V1}/memory.limit_in_bytes`, `${ON_V1}/dhow/memory.limit_in_bytes`],
  ],
  ['that no mount shows', '4:memory:/b\n', V1('/a'), []],
  ['where there are none', '', '', []],
])('finds the limits of a cgroup %s', (_what, cgroup, mountinfo, files) => {
  expect(memoryLimitFiles(cgroup, mountinfo)).toEqual(files);
});
