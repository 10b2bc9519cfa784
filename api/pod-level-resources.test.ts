import * as fc from 'fast-check';
import { limitProblems } from './limits';
import { effectiveLimits, effectiveRequests, qosClassOf, requestPhases } from './pods';
import { unspecifiedIn, usageOf } from './quota/usage';
import { textsOf } from './amounts';
import { PODS } from './resources';
import { made, pod, refusal } from './testing';
import type { LimitRange, Pod, PodSpec } from './types';

type Texts = Record<string, string>;
interface Resources {
  readonly requests?: Texts;
  readonly limits?: Texts;
}

const MIB = 2 ** 20;
const container = (resources: Resources = {}, more: object = {}) => ({
  name: 'c',
  image: 'i',
  resources,
  ...more,
});
const specOf = (resources: Resources, ...containers: readonly Resources[]): PodSpec => ({
  resources,
  containers: containers.map((each) => container(each)),
});

describe('what a pod asks for itself', () => {
  const amount = fc.integer({ min: 0, max: 50 });
  const NAMES = ['cpu', 'memory', 'hugepages-2Mi', 'ephemeral-storage', 'example.com/gpu'];
  const OWN = NAMES.slice(0, 3);
  const list = (names: readonly string[]) =>
    fc.dictionary(fc.constantFrom(...names), amount.map(String), { noNullPrototype: true });
  const some = fc.record({ requests: list(NAMES), limits: list(NAMES) });

  /** One figure of a pod by the words of KEP-2837 and KEP-753. */
  const model = (spec: PodSpec, which: keyof Resources, name: string): number => {
    const figure = (from: Resources | undefined) => Number(from?.[which]?.[name] ?? '0');
    const own = spec.resources?.[which]?.[name];
    let sidecars = 0;
    let most = 0;
    for (const each of spec.initContainers ?? []) {
      most = Math.max(most, sidecars + figure(each.resources));
      if (each.restartPolicy === 'Always') sidecars += figure(each.resources);
    }
    const main = spec.containers.reduce((sum, each) => sum + figure(each.resources), sidecars);
    const total = own !== undefined && OWN.includes(name) ? Number(own) : Math.max(most, main);
    const overhead = Number(spec.overhead?.[name] ?? '0');
    return which === 'limits' && total === 0 ? 0 : total + overhead;
  };

  it('stands in place of what its containers ask for', () => {
    fc.assert(
      fc.property(
        fc.record({ requests: list(NAMES), limits: list(NAMES) }),
        fc.array(some, { minLength: 1, maxLength: 3 }),
        fc.array(fc.record({ resources: some, runsOn: fc.boolean() }), { maxLength: 3 }),
        list(NAMES),
        (resources, main, init, overhead) => {
          const spec: PodSpec = {
            resources,
            overhead,
            containers: main.map((each) => container(each)),
            initContainers: init.map((each) =>
              container(each.resources, each.runsOn ? { restartPolicy: 'Always' } : {}),
            ),
          };
          for (const [which, found] of [
            ['requests', effectiveRequests(spec)],
            ['limits', effectiveLimits(spec)],
          ] as const) {
            const { cpuMillis, memoryBytes, ephemeralStorageBytes, others } = found;
            expect([
              cpuMillis / 1000,
              memoryBytes,
              others['hugepages-2Mi'] ?? 0,
              ephemeralStorageBytes,
              others['example.com/gpu'] ?? 0,
            ]).toEqual(NAMES.map((name) => model(spec, which, name)));
          }
        },
      ),
    );
  });

  it('is no matter of an init phase', () => {
    const spec: PodSpec = {
      ...specOf({ requests: { cpu: '3' } }, { requests: { cpu: '1', memory: '1Mi' } }),
      initContainers: [container({ requests: { cpu: '2', memory: '2Mi' } })],
    };
    const { init, main } = requestPhases(spec);
    expect([init.cpuMillis, main.cpuMillis]).toEqual([3000, 3000]);
    expect([init.memoryBytes, main.memoryBytes]).toEqual([2 * MIB, MIB]);
  });

  const full = { cpu: '1', memory: '1Gi' };
  it.each<[string, Resources, Resources]>([
    ['Guaranteed', { requests: full, limits: full }, {}],
    ['Guaranteed', { requests: full, limits: full }, { requests: { cpu: '1m' } }],
    ['Burstable', { requests: full, limits: { cpu: '2', memory: '1Gi' } }, {}],
    ['Burstable', { requests: full }, { requests: full, limits: full }],
    ['Burstable', { limits: { cpu: '1' } }, {}],
    ['BestEffort', { requests: { 'hugepages-2Mi': '2Mi' } }, { requests: full }],
    ['Guaranteed', {}, { requests: full, limits: full }],
  ])('makes it %s: %j, whatever its containers ask for: %j', (expected, own, ofContainer) => {
    expect(qosClassOf(specOf(own, ofContainer))).toBe(expected);
  });

  it('is what a quota counts, and spares its containers saying it', () => {
    const limits = { cpu: '2', memory: '1Gi' };
    const spec = specOf({ requests: { cpu: '1' }, limits }, {}, { requests: { memory: '8Mi' } });
    const usage = usageOf(PODS, { ...pod(), spec, status: {} } as unknown as Pod, 0);
    expect(textsOf(usage)).toEqual({
      ...{ 'count/pods': '1', pods: '1' },
      ...{ cpu: '1', 'requests.cpu': '1', 'limits.cpu': '2' },
      ...{ memory: '8Mi', 'requests.memory': '8Mi', 'limits.memory': '1Gi' },
    });
    expect(unspecifiedIn(spec, ['cpu', 'limits.memory']).size).toBe(0);
    expect(unspecifiedIn(specOf({}, {}), ['cpu']).size).toBe(1);
  });

  it('is what a limit range bounds a pod by', () => {
    const range = {
      spec: { limits: [{ type: 'Pod', max: { cpu: '2' }, min: { memory: '1Gi' } }] },
    } as unknown as LimitRange;
    const own = { requests: { cpu: '1', memory: '512Mi' }, limits: { cpu: '4' } };
    expect(limitProblems(range, specOf(own, { limits: { cpu: '1' } }))).toEqual([
      'minimum memory usage per Pod is 1Gi, but request is 512Mi',
      'maximum cpu usage per Pod is 2, but limit is 4',
    ]);
  });
});

describe('resources of a pod', () => {
  const defaulted = (resources: Resources, ...containers: readonly Resources[]) =>
    (made(PODS, pod(specOf(resources, ...containers))) as Pod).spec.resources;

  it.each<[string, Resources, Resources, Resources]>([
    [
      'asks for all that it may have',
      { limits: { cpu: '2', memory: '1Gi' } },
      {},
      { limits: { cpu: '2', memory: '1Gi' }, requests: { cpu: '2', memory: '1Gi' } },
    ],
    [
      'asks for what its containers do',
      { limits: { cpu: '2' } },
      { requests: { cpu: '500m', memory: '1Mi', 'ephemeral-storage': '1Gi' } },
      { limits: { cpu: '2' }, requests: { cpu: '500m', memory: '1Mi' } },
    ],
    [
      'asks for what it says',
      { requests: { cpu: '1' }, limits: { cpu: '2' } },
      { limits: { cpu: '500m' } },
      { requests: { cpu: '1' }, limits: { cpu: '2' } },
    ],
    [
      'is asked nothing without limits',
      { requests: { cpu: '1' } },
      { requests: { memory: '1Mi' } },
      { requests: { cpu: '1' } },
    ],
    [
      'may have the huge pages that its containers may',
      { requests: { cpu: '1' } },
      { limits: { 'hugepages-2Mi': '4Mi' } },
      { requests: { cpu: '1', 'hugepages-2Mi': '4Mi' }, limits: { 'hugepages-2Mi': '4Mi' } },
    ],
    ['stays as empty as it is', {}, { limits: { cpu: '1' } }, {}],
  ])('are defaulted: a pod %s', (_what, given, ofContainer, expected) => {
    expect(defaulted(given, ofContainer)).toEqual(expected);
  });

  it('are not defaulted where a pod says nothing', () => {
    const { spec } = made(PODS, pod({}, { resources: { limits: { cpu: '1' } } })) as Pod;
    expect(spec.resources).toBeUndefined();
  });

  const refused = (resources: object, ofContainer: Resources = {}, more: object = {}) =>
    refusal(PODS, pod({ ...specOf(resources, ofContainer), ...more }));

  it.each<[string, object, Resources?, object?]>([
    ['', { requests: { cpu: '1' }, limits: { cpu: '2', memory: '1Gi' } }, { limits: { cpu: '1' } }],
    // What the pod itself does not say is its containers' matter.
    ['', { requests: { cpu: '1' } }, { requests: { 'ephemeral-storage': '1Gi', memory: '1Mi' } }],
    [
      'spec.resources.requests[ephemeral-storage]: Unsupported value: "ephemeral-storage": ' +
        'supported values: "cpu", "hugepages-", "memory"',
      { requests: { 'ephemeral-storage': '1' } },
    ],
    [
      'spec.resources.limits[nonsense]: Invalid value: "nonsense": ' +
        'must be a standard resource type or fully qualified',
      { limits: { cpu: '1', nonsense: '1' } },
    ],
    [
      'spec.resources.requests: Invalid value: "3": must be less than or equal to cpu limit of 2',
      { requests: { cpu: '3' }, limits: { cpu: '2' } },
    ],
    [
      'spec.resources.requests[cpu]: Invalid value: "500m": ' +
        'must be greater than or equal to aggregate container requests of 1',
      { requests: { cpu: '500m' } },
      { requests: { cpu: '1' } },
    ],
    [
      'spec.resources.containers[0][memory].limits: Invalid value: "2Gi": ' +
        'must be less than or equal to pod limits of 1Gi',
      { limits: { memory: '1Gi' } },
      { requests: { memory: '1Mi' }, limits: { memory: '2Gi' } },
    ],
    [
      'spec.resources.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0',
      { requests: { cpu: '-1' }, limits: { cpu: '-1' } },
    ],
    [
      'spec.resources: Forbidden: HugePages require cpu or memory',
      { limits: { 'hugepages-2Mi': '2Mi' } },
    ],
    [
      'spec.resources.limits[hugepages-2Mi]: Invalid value: "1Mi": ' +
        '1Mi is not positive integer multiple of hugepages-2Mi',
      { limits: { cpu: '1', 'hugepages-2Mi': '1Mi' } },
    ],
    [
      'spec.resources.claims: Forbidden: claims cannot be set for Resources at pod-level',
      { requests: { cpu: '1' }, claims: [{ name: 'c' }] },
    ],
    [
      'spec.resources: Forbidden: may not be set for a windows pod',
      { requests: { cpu: '1' } },
      {},
      { os: { name: 'windows' } },
    ],
  ])('are refused: %s', (expected, resources, ofContainer = {}, more = {}) => {
    const problems = refused(resources, ofContainer, more);
    if (expected === '') expect(problems).toEqual([]);
    else expect(problems).toContain(expected);
  });

  it('stay as they were made', () => {
    const before = pod(specOf({ requests: { cpu: '1' } }, {}));
    const after = pod(specOf({ requests: { cpu: '2' } }, {}));
    expect(refusal(PODS, after, before)).toEqual([
      expect.stringMatching(/^spec: Forbidden: pod updates may not change fields other than/),
    ]);
  });
});
