import { CRON_JOBS, DAEMON_SETS, JOBS, POD_TEMPLATES, STATEFUL_SETS } from '../resources';
import { deployment, made, refusal } from '../testing';
import { scheduleProblem } from './cron-schedule';

const once = (spec: object = {}) =>
  deployment({ manualSelector: true, ...spec }, { restartPolicy: 'OnFailure' });
const cron = (spec: object = {}, podSpec: object = { restartPolicy: 'Never' }) => ({
  metadata: { name: 'web' },
  spec: {
    schedule: '*/5 * * * *',
    jobTemplate: { spec: { template: deployment({}, podSpec).spec.template } },
    ...spec,
  },
});

it('fills in what stateful sets, daemon sets, jobs and cron jobs have', () => {
  expect(made(STATEFUL_SETS, deployment())).toMatchObject({
    spec: {
      ...{ replicas: 1, revisionHistoryLimit: 10, podManagementPolicy: 'OrderedReady' },
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
      template: { spec: { restartPolicy: 'Always' } },
    },
  });
  expect(made(DAEMON_SETS, deployment())).toMatchObject({
    spec: { updateStrategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } } },
  });
  expect(made(JOBS, once())).toMatchObject({
    spec: {
      ...{ completions: 1, parallelism: 1, backoffLimit: 6, completionMode: 'NonIndexed' },
      ...{ suspend: false, podReplacementPolicy: 'TerminatingOrFailed' },
    },
  });
  expect(made(CRON_JOBS, cron())).toMatchObject({
    spec: { concurrencyPolicy: 'Allow', successfulJobsHistoryLimit: 3, failedJobsHistoryLimit: 1 },
  });
});

it('takes them as they are made', () => {
  expect(refusal(STATEFUL_SETS, deployment())).toEqual([]);
  expect(refusal(DAEMON_SETS, deployment())).toEqual([]);
  expect(refusal(JOBS, once())).toEqual([]);
  expect(refusal(CRON_JOBS, cron())).toEqual([]);
});

it('keeps templates of pods by themselves, by the rules of pods', () => {
  const { template } = deployment().spec;
  expect(made(POD_TEMPLATES, { metadata: { name: 'web' }, template })).toMatchObject({
    template: { spec: { restartPolicy: 'Always', dnsPolicy: 'ClusterFirst' } },
  });
  expect(refusal(POD_TEMPLATES, { metadata: { name: 'web' }, template: { spec: {} } })).toEqual([
    'template.spec.containers: Required value',
  ]);
});

it('finds the volumes of a stateful set among its claims', () => {
  const claims = [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'] } }];
  const mounts = (name: string) => ({
    containers: [{ name: 'c', image: 'x', volumeMounts: [{ name, mountPath: '/data' }] }],
  });
  const set = (name: string) => deployment({ volumeClaimTemplates: claims }, mounts(name));
  expect(refusal(STATEFUL_SETS, set('data'))).toEqual([]);
  expect(refusal(STATEFUL_SETS, set('date'))).toEqual([
    'spec.template.spec.containers[0].volumeMounts[0].name: Not found: "date"',
  ]);
});

it('changes of a stateful set only what upstream lets change', () => {
  const old = deployment({ serviceName: 'a' });
  expect(refusal(STATEFUL_SETS, deployment({ serviceName: 'a', replicas: 3 }), old)).toEqual([]);
  expect(refusal(STATEFUL_SETS, deployment({ serviceName: 'b' }), old)).toEqual([
    "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
  ]);
});

it('lets a daemon set either surge or be short of pods', () => {
  const rolling = (rollingUpdate: object) =>
    refusal(DAEMON_SETS, deployment({ updateStrategy: { rollingUpdate } }));
  const field = 'spec.updateStrategy.rollingUpdate';
  expect(rolling({ maxSurge: 1, maxUnavailable: 0 })).toEqual([]);
  expect(rolling({ maxSurge: 1 })).toEqual([
    `${field}.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero`,
  ]);
  expect(rolling({ maxUnavailable: 0 })).toEqual([
    `${field}.maxUnavailable: Required value: cannot be 0 when maxSurge is 0`,
  ]);
});

it('refuses jobs whose pods would never end, and indexes of jobs without', () => {
  expect(refusal(JOBS, deployment({ manualSelector: true }))).toEqual([
    'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
  ]);
  expect(refusal(JOBS, once({ backoffLimitPerIndex: 1 }))).toEqual([
    'spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode',
  ]);
  expect(refusal(JOBS, once({ completionMode: 'Indexed', parallelism: 1 }))).toEqual([
    'spec.completions: Required value: when completion mode is Indexed',
  ]);
});

it('keeps completions and template of a job, and lets one that waits choose its nodes', () => {
  expect(refusal(JOBS, once({ completions: 9 }), once())).toEqual([
    'spec.completions: Invalid value: 9: field is immutable',
  ]);
  const placed = deployment(
    { manualSelector: true, suspend: true },
    { restartPolicy: 'OnFailure', nodeSelector: { a: 'b' } },
  );
  expect(refusal(JOBS, placed, once({ suspend: true }))).toEqual([]);
  expect(refusal(JOBS, placed, once())).toEqual([
    expect.stringMatching(/^spec\.template: Invalid value: .*: field is immutable$/),
  ]);
});

it.each<[object, readonly string[]]>([
  [{ schedule: '' }, ['spec.schedule: Required value']],
  [
    { schedule: 'CRON_TZ=UTC @daily' },
    [
      'spec.schedule: Invalid value: "CRON_TZ=UTC @daily": cannot use TZ or CRON_TZ in schedule, use timeZone field instead',
    ],
  ],
  [{ timeZone: 'Europe/Berlin' }, []],
  [
    { timeZone: 'Europe/Atlantis' },
    ['spec.timeZone: Invalid value: "Europe/Atlantis": unknown time zone Europe/Atlantis'],
  ],
  [
    { concurrencyPolicy: 'Perhaps' },
    [
      'spec.concurrencyPolicy: Unsupported value: "Perhaps": supported values: "Allow", "Forbid", "Replace"',
    ],
  ],
])('judges a cron job of %j', (spec, expected) => {
  expect(refusal(CRON_JOBS, cron(spec))).toEqual(expected);
});

it.each<[string, string | undefined]>([
  ['0 0 * * *', undefined],
  ['*/15 8-18 1,15 jan-mar MON', undefined],
  ['@every 1h30m', undefined],
  ['61 * * * *', 'end of range (61) above maximum (59): 61'],
  ['* * 0 * *', 'beginning of range (0) below minimum (1): 0'],
  ['5-1 * * * *', 'beginning of range (5) beyond end of range (1): 5-1'],
  ['*/0 * * * *', 'step of range should be a positive number: */0'],
  ['* * * *', 'expected exactly 5 fields, found 4: [* * * *]'],
  ['@often', 'unrecognized descriptor: @often'],
  ['x * * * *', 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'],
])('reads the schedule %j', (text, problem) => {
  expect(scheduleProblem(text)).toBe(problem);
});
