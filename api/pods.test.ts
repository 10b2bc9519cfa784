import { matchesNodeAffinity, preferredAffinityWeight } from './node-affinity';
import {
  effectiveRequests,
  hostPortsClash,
  hostPortsOf,
  qosClassOf,
  requestPhases,
  withCondition,
} from './pods';
import { firstUntolerated, tolerationSecondsFor } from './taints';
import type { PodSpec } from './types';

const container = (cpu: string, more: object = {}) => ({
  name: 'c',
  image: 'i',
  resources: { requests: { cpu } },
  ...more,
});

describe('effective requests', () => {
  it('adds running sidecars to each later init step and to the main phase', () => {
    const spec: PodSpec = {
      initContainers: [
        container('500m', { restartPolicy: 'Always' }),
        container('2'),
        container('250m', { restartPolicy: 'Always' }),
      ],
      containers: [container('1')],
    };
    expect(effectiveRequests(spec).cpuMillis).toBe(2500);
    expect(requestPhases(spec).main.cpuMillis).toBe(1750);
  });

  // Words of KEP-753: before `=` init containers in order, those with `+` keep running; behind it the main ones.
  it.each([
    ['=1', 1],
    ['=1 2', 3],
    ['5=1 2', 5],
    ['2=1 2', 3],
    ['2 5=1 2', 5],
    ['+1=1', 2],
    ['+1 +2=1', 4],
    ['5 +1=1', 5],
    ['+1 5=1', 6],
    ['+1 5 +2=1', 6],
    ['5 +2 +3=1', 6],
    ['+2 1 +3 4=1', 9],
    ['3 +2 4 +1=2', 6],
  ])('of %s are %i', (text, total) => {
    const [init = '', main = ''] = text.split('=');
    const numbers = (list: string) => list.split(' ').filter((each) => each !== '');
    const spec: PodSpec = {
      initContainers: numbers(init).map((each) =>
        each.startsWith('+')
          ? container(each.slice(1), { restartPolicy: 'Always' })
          : container(each),
      ),
      containers: numbers(main).map((each) => container(each)),
      overhead: { cpu: '100m' },
    };
    expect(effectiveRequests(spec).cpuMillis).toBe(total * 1000 + 100);
  });

  it('adds overhead and counts extended resources', () => {
    const spec: PodSpec = {
      overhead: { cpu: '10m', memory: '1Mi' },
      containers: [
        {
          name: 'c',
          resources: { requests: { cpu: '1', memory: '1Mi', 'example.com/gpu': '2' } },
        },
        { name: 'd', resources: { requests: { 'example.com/gpu': '1' } } },
      ],
    };
    expect(effectiveRequests(spec)).toEqual({
      cpuMillis: 1010,
      memoryBytes: 2 * 2 ** 20,
      ephemeralStorageBytes: 0,
      others: { 'example.com/gpu': 3 },
    });
  });
});

it('lets one port serve several addresses and protocols, but not beside all addresses', () => {
  const claim = (hostPort: number, hostIP?: string, protocol?: string) =>
    hostPortsOf({
      containers: [
        {
          name: 'c',
          ports: [
            {
              containerPort: 1,
              hostPort,
              ...(hostIP === undefined ? {} : { hostIP }),
              ...(protocol === undefined ? {} : { protocol }),
            },
          ],
        },
      ],
    })[0]!;
  const first = claim(7000, '10.0.0.5');
  expect(hostPortsClash(first, claim(7000, '10.0.0.6'))).toBe(false);
  expect(hostPortsClash(first, claim(7000, '10.0.0.5', 'UDP'))).toBe(false);
  expect(hostPortsClash(first, claim(7000))).toBe(true);
  expect(hostPortsClash(first, claim(7000, '10.0.0.5'))).toBe(true);
});

it.each([
  ['BestEffort', {}],
  ['Burstable', { requests: { cpu: '1' } }],
  ['Burstable', { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '2', memory: '1Gi' } }],
  [
    'Guaranteed',
    { requests: { cpu: '1000m', memory: '1Gi' }, limits: { cpu: '1', memory: '1024Mi' } },
  ],
])('is %s with %j', (expected, resources) => {
  expect(qosClassOf({ containers: [{ name: 'c', resources }] })).toBe(expected);
});

describe('taints', () => {
  const taint = { key: 'k', value: 'v', effect: 'NoExecute' };

  it.each([
    [{ key: 'k', value: 'v', effect: 'NoExecute' }, true],
    [{ key: 'k', operator: 'Exists' }, true],
    [{ operator: 'Exists' }, true],
    [{ key: 'k', value: 'w' }, false],
    [{ key: 'k', operator: 'Exists', effect: 'NoSchedule' }, false],
  ])('toleration %j tolerates: %s', (toleration, expected) => {
    expect(firstUntolerated([toleration], [taint]) === undefined).toBe(expected);
  });

  it('gives the shortest time to stay', () => {
    const exists = { operator: 'Exists' };
    expect(tolerationSecondsFor([exists], [taint])).toBeUndefined();
    expect(tolerationSecondsFor([], [taint])).toBe(0);
    expect(tolerationSecondsFor([exists, { ...exists, tolerationSeconds: 30 }], [taint])).toBe(30);
  });
});

it('matches node affinity', () => {
  const node = { metadata: { name: 'n1', labels: { disk: 'ssd', gen: '7' } } };
  const matches = (spec: Omit<PodSpec, 'containers'>) =>
    matchesNodeAffinity({ containers: [], ...spec }, node);
  const required = (...nodeSelectorTerms: object[]) => ({
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms },
      },
    },
  });
  expect(matches({ nodeSelector: { disk: 'ssd' } })).toBe(true);
  expect(matches({ nodeSelector: { disk: 'hdd' } })).toBe(false);
  expect(matches(required({}))).toBe(false);
  expect(
    matches(
      required(
        { matchExpressions: [{ key: 'gen', operator: 'Gt', values: ['9'] }] },
        {
          matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n1'] }],
        },
      ),
    ),
  ).toBe(true);
  expect(
    preferredAffinityWeight(
      {
        containers: [],
        affinity: {
          nodeAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              { weight: 5, preference: { matchExpressions: [{ key: 'gen', operator: 'Exists' }] } },
              { weight: 9, preference: { matchExpressions: [{ key: 'no', operator: 'Exists' }] } },
            ],
          },
        },
      },
      node,
    ),
  ).toBe(5);
});

it('moves the transition time of a condition only when its status changes', () => {
  const first = withCondition([], { type: 'Ready', status: 'False' }, 't1');
  const same = withCondition(first, { type: 'Ready', status: 'False', reason: 'X' }, 't2');
  expect(same).toEqual([{ type: 'Ready', status: 'False', reason: 'X', lastTransitionTime: 't1' }]);
  expect(withCondition(same, { type: 'Ready', status: 'True' }, 't3')[0]?.lastTransitionTime).toBe(
    't3',
  );
});
