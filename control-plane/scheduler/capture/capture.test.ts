import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import type {
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  StorageClass,
} from '../../../api/types';
import { seededRandom, type Random } from '../../../lib/random';
import { parseJson, stringifyJson } from '../../../lib/json';
import { decide } from '../decide';
import { recordOf } from '../decisions/record';
import { RandomCluster } from '../engine/random-cluster-testing';
import { podInfoOf, type PodInfo } from '../pod-info';
import { DEFAULT_PROFILE, DEFAULT_PROFILES } from '../profile';
import { Journal } from '../replay/journal';
import { replayDecisions, type ReplayStep } from '../replay/replay';
import { Snapshot } from '../snapshot';
import { testNode, testPod } from '../testing';
import { captureText, type CaptureSources } from './capture';
import { CaptureError } from './problem';
import { readCapture } from './read';

const SEED = 7;
const NONE = { list: () => [] };
const sourcesOf = (sources: Partial<CaptureSources> = {}): CaptureSources => ({
  ...{ namespaces: NONE, budgets: NONE, claims: NONE, dhowVersion: '1.2.3' },
  ...sources,
});

const toTheEnd = <T>(steps: Generator<unknown, T>): T => {
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  return step.value;
};

const textOf = (journal: Journal, sources = sourcesOf(), spec: object = {}): string =>
  toTheEnd(
    captureText(
      journal,
      { last: 100, ...spec },
      { sources, profiles: [DEFAULT_PROFILE], seed: SEED, nowMs: 0 },
    ),
  );

const packed = (status: unknown, more: object = {}): Buffer =>
  gzipSync(
    stringifyJson({
      ...{ apiVersion: 'scheduling.dhow.dev/v1', kind: 'SchedulerCapture', status },
      ...more,
    }),
  );

const replayed = (steps: Iterable<ReplayStep | undefined>) =>
  toTheEnd(replayDecisions(steps, { profiles: DEFAULT_PROFILES, seed: SEED }));

const take = (journal: Journal, snapshot: Snapshot, info: PodInfo, number = 1) => {
  const decision = decide(info, snapshot, SEED);
  const attempt = { info, number, trigger: 'PodAdded' };
  const record = recordOf(decision, { attempt, timeMs: 0, latencyMicros: 0 }, number);
  journal.note({ kind: 'decision', info, record });
  return decision;
};

/** Pods come, go and are placed by chance. */
const live = (random: Random, steps: number) => {
  const cluster = new RandomCluster({ random, nodeCountMax: 6, hasDomains: random.next() < 0.5 });
  const { snapshot } = cluster;
  const setNode = snapshot.setNode.bind(snapshot);
  snapshot.setNode = (node) => setNode(withOneSize(node));
  for (const { node } of snapshot.nodes) snapshot.setNode(node);
  const journal = new Journal(snapshot, 40);
  for (let i = 0; i < steps; i++) {
    if (random.next() < 0.4) cluster.happen();
    else {
      const info = cluster.nextPod();
      const { nodeName, nominatedNodeName } = take(journal, snapshot, info, i);
      if (nodeName !== undefined) cluster.place(info, nodeName);
      else if (nominatedNodeName !== undefined) snapshot.nominate(info, nominatedNodeName);
    }
  }
  return { snapshot, journal };
};

/** What an image weighs is told by the node that came last: where they disagree, no replay knows. */
const withOneSize = ({ status, ...node }: Node): Node => {
  const images = (status.images ?? []).map((image) => ({ ...image, sizeBytes: 5e8 }));
  return { ...node, status: { ...status, images } };
};

const namespacesOf = ({ namespaceLabels }: Snapshot): CaptureSources['namespaces'] => ({
  list: () => [
    {
      ...{ apiVersion: 'v1', kind: 'Namespace' },
      metadata: { name: 'default', labels: namespaceLabels('default') ?? {} },
    },
  ],
});

it('replays as the cluster does, whatever happened in it', () => {
  let [taken, scheduled] = [0, 0];
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 120 }), (seed, steps) => {
      const { snapshot, journal } = live(seededRandom(seed), steps);
      const here = replayed(journal.last(100));
      fc.pre(here.replayed > 0);
      const text = textOf(journal, sourcesOf({ namespaces: namespacesOf(snapshot) }));
      const there = readCapture(packed(parseJson(text)));
      expect(replayed(there.steps)).toEqual(here);
      expect([there.dhowVersion, there.seed]).toEqual(['1.2.3', SEED]);
      taken += here.replayed;
      scheduled += here.same - here.rejudged;
    }),
    { numRuns: 60 },
  );
  expect(taken).toBeGreaterThan(500);
  expect(scheduled).toBeGreaterThan(400);
});

const SECRET = 'hunter2';
const pod = (name: string, spec: Partial<Pod['spec']> = {}): Pod => {
  const made = testPod(name, { cpu: '1', ...spec });
  const [container] = made.spec.containers;
  const containers = [
    { ...container!, env: [{ name: 'TOKEN', value: SECRET }], args: [SECRET], command: [SECRET] },
  ];
  const annotations = { note: SECRET };
  return {
    ...made,
    metadata: { ...made.metadata, annotations },
    spec: { ...made.spec, containers },
  };
};

const setUp = () => {
  const snapshot = new Snapshot();
  const journal = new Journal(snapshot);
  snapshot.setNode(testNode('n1', { cpu: '2', annotations: { note: SECRET } }));
  snapshot.setNode(testNode('n2', { cpu: '4' }));
  return { snapshot, journal };
};

describe('a bundle', () => {
  it('holds what scheduling reads, and nothing of what containers are told', () => {
    const { snapshot, journal } = setUp();
    snapshot.setPod(pod('there', { nodeName: 'n1' }));
    const volumes = [{ name: SECRET.slice(0, 3), secret: { secretName: SECRET } }];
    take(journal, snapshot, podInfoOf(pod('new', { volumes })));
    const text = textOf(journal);
    expect(text).toContain('"name":"there"');
    expect(text).not.toContain(SECRET);
    expect(text).not.toContain('TOKEN');
  });

  it('is of the pod that was asked for alone, with what happened between', () => {
    const { snapshot, journal } = setUp();
    take(journal, snapshot, podInfoOf(pod('a')));
    take(journal, snapshot, podInfoOf(pod('b')));
    snapshot.removeNode('n2');
    take(journal, snapshot, podInfoOf(pod('a')), 2);
    snapshot.removeNode('n1');
    const of = { pod: { namespace: 'default', name: 'a' } };
    const { steps, start } = parseJson(textOf(journal, sourcesOf(), of)) as {
      readonly steps: readonly { kind: string; name?: string; pod?: Pod }[];
      readonly start: { nodes: readonly unknown[] };
    };
    expect(start.nodes).toHaveLength(2);
    expect(steps.map(({ kind, name, pod: of }) => [kind, name ?? of?.metadata.name])).toEqual([
      ['decision', 'a'],
      ['node', 'n2'],
      ['decision', 'a'],
    ]);
    const nobody = { pod: { namespace: 'default', name: 'nobody' } };
    expect(() => textOf(journal, sourcesOf(), nobody)).toThrow(
      'no decision about pod default/nobody is remembered',
    );
  });

  it('reproduces where volumes are, without what their drivers are told', () => {
    const { snapshot, journal } = setUp();
    const claim: PersistentVolumeClaim = {
      ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim' },
      metadata: { name: 'data', namespace: 'default', uid: 'c' },
      spec: {
        ...{ accessModes: ['ReadWriteOnce'], storageClassName: 'local' },
        resources: { requests: { storage: '1Gi' } },
      },
    };
    const storageClass: StorageClass = {
      ...{ apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', metadata: { name: 'local' } },
      ...{ provisioner: 'kubernetes.io/no-provisioner', parameters: { key: SECRET } },
      volumeBindingMode: 'WaitForFirstConsumer',
    };
    const volume = {
      ...{ apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: 'v', uid: 'v' } },
      spec: {
        ...{ capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'] },
        ...{ storageClassName: 'local', local: { path: `/${SECRET}` } },
        nodeAffinity: {
          required: {
            nodeSelectorTerms: [
              {
                matchExpressions: [
                  { key: 'kubernetes.io/hostname', operator: 'In', values: ['n1'] },
                ],
              },
            ],
          },
        },
      },
      status: { phase: 'Available' },
    } as PersistentVolume;
    const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }];
    const info: PodInfo = {
      ...podInfoOf(pod('new', { volumes })),
      volumes: {
        ...{ bound: [], taken: undefined },
        delayed: [{ claim, storageClass, candidates: [volume], nodeName: undefined }],
      },
    };
    expect(take(journal, snapshot, info).nodeName).toBe('n1');
    const text = textOf(journal);
    expect(text).not.toContain(SECRET);
    const here = replayed(readCapture(packed(parseJson(text))).steps);
    expect(here).toEqual({ replayed: 1, same: 1, rescored: 0, rejudged: 0, differences: [] });
  });

  it('knows what drivers said of nodes, also of those that came later', () => {
    const counted = (key: string) => ({ driver: 'd', id: key });
    const snapshot = new Snapshot({
      storage: {
        limitsOn: () => new Map([['d', 1]]),
        countedBy: counted,
        leftovers: () => new Map([['n1', [counted('left')]]]),
      },
    });
    const journal = new Journal(snapshot);
    snapshot.setNode(testNode('n1'));
    const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }];
    const info = podInfoOf(pod('new', { volumes }));
    expect(take(journal, snapshot, info).nodeName).toBeUndefined();
    snapshot.setNode(testNode('n2'));
    expect(take(journal, snapshot, info, 2).nodeName).toBe('n2');
    const claims = {
      list: () => [
        {
          ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim' },
          metadata: { namespace: 'default', name: 'data' },
        },
      ],
    };
    const text = textOf(journal, sourcesOf({ claims }));
    expect(parseJson(text)).toMatchObject({
      storage: { limits: { n1: { d: 1 }, n2: { d: 1 } }, counted: { 'default/data': {} } },
    });
    const here = replayed(readCapture(packed(parseJson(text))).steps);
    expect(here).toEqual({ replayed: 2, same: 2, rescored: 0, rejudged: 0, differences: [] });
  });

  it('goes by the configuration that the scheduler had', () => {
    const { snapshot, journal } = setUp();
    take(journal, snapshot, podInfoOf(pod('new')));
    const configuration =
      'apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n' +
      'profiles: [{schedulerName: other}]';
    const text = textOf(journal, sourcesOf({ configuration }));
    const { profiles } = readCapture(packed(parseJson(text)));
    expect(profiles.all.map(({ schedulerName }) => schedulerName)).toEqual(['other']);
  });
});

describe('what is no bundle', () => {
  const state = (): unknown => {
    const { snapshot, journal } = setUp();
    snapshot.setPod(pod('there', { nodeName: 'n1' }));
    take(journal, snapshot, podInfoOf(pod('new')));
    return parseJson(textOf(journal));
  };
  /** With another value at `start.nodes.0`. */
  const spoilt = (place: string, value: unknown): unknown => {
    const status = state();
    const fields = place.split('.');
    const last = fields.pop() ?? '';
    let at = status as Record<string, unknown>;
    for (const field of fields) at = at[field] as Record<string, unknown>;
    at[last] = value;
    return status;
  };
  const faultOf = (bytes: Uint8Array): string => {
    try {
      replayed(readCapture(bytes).steps);
    } catch (error) {
      expect(error).toBeInstanceOf(CaptureError);
      return (error as Error).message;
    }
    throw new Error('it was read');
  };

  it.each<[string, string, unknown, string]>([
    ['another form', 'formatVersion', 9, 'status.formatVersion: 9 is not known'],
    ['a seed of words', 'seed', 'x', 'status.seed: '],
    ['a configuration', 'configuration', 'kind: X', 'status.configuration: '],
    ['a field too many', 'env', {}, 'status: Unrecognized key: "env"'],
    ['a step', 'steps.0.kind', 'x', 'status.steps[0].kind: '],
    ['an amount', 'start.nodes.0.status.allocatable.cpu', ['x'], 'status.start.nodes[0]: '],
    ['no spec', 'start.placements.0.pod.spec', null, 'status.start.placements[0].pod: '],
    ['a field of no pod', 'steps.0.pod.spec.nonsense', 1, 'status.steps[0].pod: '],
    ['an object without a name', 'budgets', [{}], 'status.budgets[0]: '],
  ])('is refused by its field: %s', (_what, place, value, words) => {
    expect(faultOf(packed(spoilt(place, value)))).toContain(words);
  });

  it('is refused when it is not packed, holds no JSON, is of another kind or cut off', () => {
    const whole = packed(state());
    expect(faultOf(Buffer.from('{}'))).toContain('not packed by gzip');
    expect(faultOf(whole.subarray(0, whole.length / 2))).toContain('not whole');
    expect(faultOf(gzipSync('{'))).toContain('it holds no JSON');
    expect(faultOf(packed(state(), { kind: 'Pod' }))).toContain('kind: ');
  });

  it('is never anything but refused or replayed, whatever of it is another value', () => {
    const text = gunzipSync(packed(state())).toString();
    const places = [...text.matchAll(/:(?=["\d{[])/g)].map(({ index }) => index + 1);
    fc.assert(
      fc.property(
        fc.constantFrom(...places),
        fc.constantFrom('null', '{}', '[]', '-1', '"x"', '[null]', '{"__proto__":1}'),
        (place, value) => {
          const other = text.slice(0, place) + value + text.slice(place + valueLength(text, place));
          try {
            replayed(readCapture(gzipSync(other)).steps);
          } catch (error) {
            expect(error).toBeInstanceOf(CaptureError);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

/** Of the JSON value that begins there. */
const valueLength = (text: string, start: number): number => {
  let [depth, isQuoted] = [0, false];
  for (let i = start; i < text.length; i++) {
    const at = text[i]!;
    if (at === '"' && text[i - 1] !== '\\') isQuoted = !isQuoted;
    if (isQuoted) continue;
    if ('{['.includes(at)) depth++;
    if (depth === 0 && ',}]'.includes(at)) return i - start;
    if ('}]'.includes(at)) depth--;
    if (depth === 0 && at !== ':' && '}]"'.includes(at)) return i + 1 - start;
  }
  return text.length - start;
};
