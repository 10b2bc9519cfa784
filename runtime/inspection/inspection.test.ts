import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { parseCgroups } from './cgroup-values';
import { inspectProcess, parseMapping } from './index';
import { parseMountTable } from './mount-table';
import { parseStatus } from './process-status';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'inspection-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const STATUS = `Name:\tsleep
Uid:\t1000\t1001\t1000\t1000
Gid:\t2000\t2001\t2000\t2000
Groups:\t10 20
CapInh:\t0000000000000000
CapPrm:\t0000000000000400
CapEff:\t0000000000000400
CapBnd:\t0000000000000401
CapAmb:\t0000000000000000
NoNewPrivs:\t1
Seccomp:\t2
Seccomp_filters:\t1
`;

it('reads who a process is and what it may', () => {
  expect(parseStatus(STATUS)).toEqual({
    uid: 1001,
    gid: 2001,
    groups: [10, 20],
    noNewPrivileges: true,
    seccomp: 'filter',
    seccompFilters: 1,
    capabilities: {
      effective: ['NET_BIND_SERVICE'],
      permitted: ['NET_BIND_SERVICE'],
      bounding: ['CHOWN', 'NET_BIND_SERVICE'],
      ambient: [],
    },
  });
});

it('takes no field for granted', () => {
  expect(() => parseStatus(STATUS.replace(/CapEff.*\n/, ''))).toThrow(
    '/proc/PID/status has no CapEff',
  );
});

it('reads mounts with their blanks, who keeps writers out, and how far they spread', () => {
  const text = [
    '36 35 98:0 /mnt1 / rw,noatime master:1 - ext3 /dev/root rw,errors=continue',
    '37 36 0:5 /a\\040b /with\\040blank ro,nosuid shared:2 - tmpfs tmpfs rw',
    '38 36 0:6 / /frozen rw - squashfs /dev/loop0 ro',
    'no mount at all',
  ].join('\n');
  expect(parseMountTable(text, 10)).toMatchObject([
    { target: '/', type: 'ext3', isReadOnly: false, propagation: 'slave', root: '/mnt1' },
    { target: '/with blank', root: '/a b', isReadOnly: true, propagation: 'shared' },
    { target: '/frozen', isReadOnly: true, propagation: 'private' },
  ]);
  expect(parseMountTable(text, 1)).toHaveLength(1);
});

it.each([
  ['4:memory:/dhow/a', [{ controllers: 'memory', path: '/dhow/a' }]],
  ['0::/dhow/a', [{ controllers: '', path: '/dhow/a' }]],
  ['1:name=systemd:/x', []],
  ['4:memory:/../../escaped', []],
])('knows where the limits of %j are', (text, expected) => {
  expect(parseCgroups(text)).toEqual(expected);
});

it('reads mappings of ids', () => {
  expect(parseMapping('         0     100000      65536\n')).toEqual([
    { inside: 0, outside: 100_000, count: 65_536 },
  ]);
});

/** A `/proc` of two processes: the reader, and 7 which shares its network alone. */
const fakeProc = (): { procAt: string; cgroupsAt: string } => {
  const procAt = join(root, 'proc');
  for (const [pid, ids] of [
    ['self', { net: 1, user: 2 }],
    ['7', { net: 1, user: 3 }],
  ] as const) {
    mkdirSync(join(procAt, pid, 'ns'), { recursive: true });
    for (const [type, id] of Object.entries(ids))
      symlinkSync(`${type}:[${id}]`, join(procAt, pid, 'ns', type));
  }
  const files = {
    status: STATUS,
    uid_map: '0 100000 10\n',
    gid_map: '0 100000 10\n',
    oom_score_adj: '-997\n',
    cgroup: '4:memory:/box\n3:pids:/box\n',
    mountinfo: '36 35 98:0 / / rw - overlay overlay rw\n',
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(procAt, '7', name), text);
  const cgroupsAt = join(root, 'cgroups');
  mkdirSync(join(cgroupsAt, 'memory', 'box'), { recursive: true });
  writeFileSync(join(cgroupsAt, 'memory', 'box', 'memory.limit_in_bytes'), '4096\n');
  return { procAt, cgroupsAt };
};

it('joins what the kernel tells of a process', () => {
  expect(inspectProcess(7, fakeProc())).toMatchObject({
    namespaces: [
      { type: 'net', id: '1', isHost: true },
      { type: 'user', id: '3', isHost: false },
    ],
    userMappings: { uid: [{ inside: 0, outside: 100_000, count: 10 }] },
    oomScoreAdj: -997,
    cgroups: [{ controllers: 'memory', path: '/box', values: { 'memory.limit_in_bytes': '4096' } }],
    mounts: [{ target: '/', type: 'overlay' }],
  });
});

it('says nothing of a process that has ended', () => {
  expect(inspectProcess(8, fakeProc())).toBeUndefined();
});

it('inspects a process of this machine', () => {
  const facts = inspectProcess(process.pid);
  expect(facts?.namespaces.map(({ isHost }) => isHost)).not.toContain(false);
  expect(facts?.mounts.some(({ target }) => target === '/')).toBe(true);
});
