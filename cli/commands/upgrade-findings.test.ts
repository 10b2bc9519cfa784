import { upgradeFindings, versionIn, type UpgradeFacts } from './upgrade-findings';

const HOUR_MS = 3_600_000;
const FACTS: UpgradeFacts = {
  target: '0.2.0',
  cluster: {
    server: 'v1.34.1+dhow-0.1.3',
    nodes: [
      { name: 'a', version: 'v1.34.1-dhow.0.1.3', isReady: true },
      { name: 'b', version: 'v1.34.1-dhow.0.2.0', isReady: true },
    ],
  },
  schema: { schema: 1, writtenBy: '0.1.3' },
  certificates: [{ name: 'ca', state: 'Good', daysLeft: 3000 }],
  freeBytes: 2 ** 32,
  snapshotAtMs: 100 * HOUR_MS,
  nowMs: 103 * HOUR_MS,
};

it('finds nothing in the way of the next minor version', () => {
  const findings = upgradeFindings(FACTS);
  expect(findings.map(({ severity }) => severity)).toEqual(findings.map(() => 'ok'));
  expect(findings.map(({ check, message }) => `${check}: ${message}`)).toEqual([
    'server: 0.1.3, to be 0.2.0',
    'agents: 2: 0.1.3, 0.2.0',
    'nodes: 2 are Ready',
    'store: schema 1, by 0.1.3',
    'snapshot: the newest is 3 hours old',
    'certificates: 1 are good',
    'disk-space: 4096 MiB free beside the store',
  ]);
});

const nodes = (version: string, isReady = true) => ({
  ...{ server: 'v1.34.1+dhow-0.2.0', nodes: [{ name: 'old', version, isReady }] },
});

const ALONE = { cluster: { server: 'v1.34.1+dhow-0.1.3', nodes: [] } };

it.each<[string, string, string, Partial<UpgradeFacts>]>([
  ['a server two versions back', 'server', 'first 0.2', { target: '0.3.0', ...ALONE }],
  ['an older version', 'server', 'may not read its store', { target: '0.0.9', ...ALONE }],
  ['a server that is away', 'server', 'refused', { cluster: { problem: 'refused' } }],
  [
    'an agent two versions back',
    'agents',
    'old (0.1.0)',
    { target: '0.3.0', cluster: nodes('v1.34.1-dhow.0.1.0') },
  ],
  ['a node that is away', 'nodes', 'old', { cluster: nodes('v1.34.1-dhow.0.2.0', false) }],
  ['a store of later', 'store', 'newer', { schema: { refusal: 'a newer one wrote it' } }],
  ['an etcd that is away', 'store', 'no socket', { schema: { problem: 'no socket' } }],
  ['no snapshot', 'snapshot', 'no way back', { snapshotAtMs: undefined }],
  [
    'a certificate that has ended',
    'certificates',
    'admin (Expired, -3 days)',
    { certificates: [{ name: 'admin', state: 'Expired', daysLeft: -3 }] },
  ],
  ['a full disk', 'disk-space', '0 MiB', { freeBytes: 1000 }],
])('is stopped by %s', (_title, check, words, more) => {
  const errors = upgradeFindings({ ...FACTS, ...more }).filter(
    ({ severity }) => severity === 'error',
  );
  expect(errors.map((each) => each.check)).toEqual([check]);
  expect(`${errors[0]?.message} ${errors[0]?.remedy}`).toContain(words);
});

it('warns of an old snapshot, of a certificate that is due, and of a build without a version', () => {
  const certificates = [{ name: 'server', state: 'Due', daysLeft: 9 }] as const;
  const late = { nowMs: 200 * HOUR_MS, target: '', certificates };
  const warnings = upgradeFindings({ ...FACTS, ...late }).filter(
    ({ severity }) => severity === 'warning',
  );
  expect(warnings.map(({ check }) => check)).toEqual(['server', 'snapshot', 'certificates']);
});

it('reads versions wherever they are', () => {
  for (const text of ['0.2.1', 'v1.34.1+dhow-0.2.1', 'v1.34.1-dhow.0.2.1'])
    expect(versionIn(text)).toEqual({ major: 0, minor: 2, text: '0.2.1' });
  for (const text of ['', 'v1.34.1', 'development']) expect(versionIn(text)).toBeUndefined();
});
