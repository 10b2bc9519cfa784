import type { ContainerIsolation } from '../../api/isolation';
import { isolationRows } from './isolation-rows';

const NAMESPACES = ['ipc', 'mnt', 'net', 'pid', 'uts'].map((type) => ({
  ...{ type, id: '7', isHost: false },
}));
const HOST_IDS = [{ inside: 0, outside: 0, count: 4_294_967_295 }];

const facts = (more: Partial<ContainerIsolation> = {}): ContainerIsolation => ({
  name: 'app',
  pid: 7,
  namespaces: [...NAMESPACES, { type: 'user', id: '1', isHost: true }],
  userMappings: { uid: HOST_IDS, gid: HOST_IDS },
  identity: {
    ...{ uid: 0, gid: 0, groups: [], noNewPrivileges: false },
    ...{ seccomp: 'filter', seccompFilters: 1 },
    capabilities: { effective: ['CHOWN'], permitted: ['CHOWN'], bounding: ['CHOWN'], ambient: [] },
  },
  oomScoreAdj: 0,
  cgroups: [],
  mounts: [
    {
      ...{ target: '/', type: 'overlay', root: '/', source: 'overlay', isReadOnly: false },
      ...{ options: ['rw'], propagation: 'private' },
    },
  ],
  ...more,
});

const identity = (more: Partial<ContainerIsolation['identity']>) => ({
  identity: { ...facts().identity, ...more },
});
const limits = (values: Readonly<Record<string, string>>) => ({
  cgroups: [{ controllers: '', path: '/box', values }],
});

const differing = (spec: object, container: object, more: Partial<ContainerIsolation> = {}) =>
  isolationRows(
    { containers: [], ...spec },
    { name: 'app', image: 'app:1', ...container },
    facts(more),
  )
    .filter(({ differs }) => differs)
    .map(({ property }) => property);

const secured = (securityContext: object) => ({ securityContext });

it.each<[string, object, object, Partial<ContainerIsolation>, readonly string[]]>([
  ['nothing is asked for', {}, {}, {}, []],
  ['the network of the host is asked for', { hostNetwork: true }, {}, {}, ['namespace net']],
  ['users of its own are asked for', { hostUsers: false }, {}, {}, ['namespace user']],
  ['another user runs', {}, secured({ runAsUser: 1000 }), {}, ['user']],
  [
    'the user is the same one within',
    {},
    secured({ runAsUser: 1000 }),
    {
      ...identity({ uid: 101_000 }),
      userMappings: { uid: [{ inside: 0, outside: 100_000, count: 65_536 }], gid: HOST_IDS },
    },
    [],
  ],
  [
    'a dropped capability is there',
    {},
    secured({ capabilities: { drop: ['CAP_CHOWN'] } }),
    {},
    ['capabilities'],
  ],
  ['all are dropped', {}, secured({ capabilities: { drop: ['ALL'], add: ['CHOWN'] } }), {}, []],
  [
    'an added one is not there',
    {},
    secured({ capabilities: { add: ['NET_ADMIN'] } }),
    {},
    ['capabilities'],
  ],
  [
    'privileges may be gained',
    {},
    secured({ allowPrivilegeEscalation: false }),
    {},
    ['may gain privileges'],
  ],
  ['no filter is in force', {}, {}, identity({ seccomp: 'disabled' }), ['system calls']],
  [
    'none is asked for',
    { securityContext: { seccompProfile: { type: 'Unconfined' } } },
    {},
    identity({ seccomp: 'disabled' }),
    [],
  ],
  [
    'the root can be written to',
    {},
    secured({ readOnlyRootFilesystem: true }),
    {},
    ['root file system'],
  ],
  [
    'a volume is not mounted',
    {},
    { volumeMounts: [{ name: 'data', mountPath: '/data/' }] },
    {},
    ['mount /data/'],
  ],
  [
    'there is no limit',
    {},
    { resources: { limits: { memory: '1Mi', cpu: '100m' } } },
    {},
    ['cpu limit', 'memory limit'],
  ],
  [
    'the limits of v2 are as asked',
    {},
    { resources: { limits: { memory: '1Mi', cpu: '100m' } } },
    limits({ 'memory.max': '1048576', 'cpu.max': '10000 100000' }),
    [],
  ],
  [
    'the limits of v1 are higher',
    {},
    { resources: { limits: { memory: '1Mi', cpu: '100m' } } },
    limits({
      ...{ 'memory.limit_in_bytes': '9223372036854771712' },
      ...{ 'cpu.cfs_quota_us': '20000', 'cpu.cfs_period_us': '100000' },
    }),
    ['cpu limit', 'memory limit'],
  ],
])('when %s', (_, spec, container, more, expected) => {
  expect(differing(spec, container, more)).toEqual(expected);
});
