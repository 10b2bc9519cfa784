import fc from 'fast-check';
import { jsonEqual } from '../json-value';
import type { Json } from '../patch/json';
import { ApplyConflictError } from './apply-conflict';
import { compareFields } from './compare-fields';
import { equalSets, isEmptySet, pathsOf, setOf, union } from './field-set';
import { fieldsOf, ListItemsError } from './fields-of';
import { encodeFields, textOfPath } from './fields-v1';
import {
  capUpdaters,
  decodeManagers,
  encodeManagers,
  isReset,
  type Manager,
  type ManagerName,
} from './managers';
import { applyConfiguration, ownersAfterUpdate } from './ownership';
import { structureOf } from './structure';

const POD = { group: '', version: 'v1', kind: 'Pod' };
const STRUCTURE = structureOf(POD);

const manager = (name: string, operation: 'Apply' | 'Update' = 'Apply'): ManagerName => ({
  name,
  operation,
  apiVersion: 'v1',
  subresource: '',
});
const by = (name: string, operation: 'Apply' | 'Update' = 'Apply') => ({
  manager: manager(name, operation),
  now: '2026-01-01T00:00:00Z',
});
const owned = (managers: readonly Manager[], name: string) =>
  [...pathsOf(managers.find((each) => each.name === name)?.fields ?? setOf([]))].map(textOfPath);

interface State {
  readonly object: Json;
  readonly managers: readonly Manager[];
}
const EMPTY: State = { object: {}, managers: [] };
const apply = (state: State, config: Json, name: string, isForced = false): State =>
  applyConfiguration(POD, state.object, config, state.managers, by(name), isForced);
const update = (state: State, after: Json, name: string): State => ({
  object: after,
  managers: ownersAfterUpdate(POD, state.object, after, state.managers, by(name, 'Update')),
});

const pod = (labels: Json, containers: readonly Json[] = [], spec: Json = {}): Json => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', labels },
  spec: { containers, ...spec },
});

describe('fields of a configuration', () => {
  it('follow the schema: lists by key, whole where they are atomic', () => {
    const config = pod(
      { app: 'web' },
      [{ name: 'c', args: ['a'], ports: [{ containerPort: 80 }], resources: { limits: {} } }],
      { tolerations: [{ key: 'x' }], nodeSelector: { a: 'b' } },
    );
    expect(encodeFields(fieldsOf(STRUCTURE, config))).toEqual({
      'f:apiVersion': {},
      'f:kind': {},
      'f:metadata': { 'f:labels': { 'f:app': {} }, 'f:name': {} },
      'f:spec': {
        'f:containers': {
          'k:{"name":"c"}': {
            '.': {},
            'f:args': {},
            'f:name': {},
            'f:ports': {
              'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} },
            },
            'f:resources': { 'f:limits': {} },
          },
        },
        'f:nodeSelector': {},
        'f:tolerations': {},
      },
    });
  });

  it('cannot be told where items lack their key or share it', () => {
    const twice = pod({}, [{ name: 'c' }, { name: 'c' }]);
    expect(() => fieldsOf(STRUCTURE, twice)).toThrow(
      '.spec.containers: duplicate entries for key [name="c"]',
    );
    expect(() => fieldsOf(STRUCTURE, pod({}, [{ image: 'x' }]))).toThrow(ListItemsError);
  });
});

describe('applying', () => {
  it('removes what its manager no longer names, and nothing else', () => {
    const first = apply(EMPTY, pod({ a: '1', b: '2' }, [{ name: 'c', image: 'x' }]), 'me');
    const defaulted = { ...first, object: { ...first.object, status: { phase: 'Pending' } } };
    const labelled = update(
      defaulted,
      { ...defaulted.object, metadata: { name: 'web', labels: { a: '1', b: '2', z: '9' } } },
      'labeller',
    );
    const { object } = apply(labelled, pod({ a: '1' }, [{ name: 'c', image: 'x' }]), 'me');
    expect(object).toEqual({
      ...pod({ a: '1', z: '9' }, [{ name: 'c', image: 'x' }]),
      status: { phase: 'Pending' },
    });
  });

  it('leaves a field that another applier names too', () => {
    const both = apply(apply(EMPTY, pod({ a: '1', b: '2' }), 'one'), pod({ a: '1' }), 'two');
    const left = apply(both, pod({}), 'one');
    expect(left.object['metadata']).toEqual({ name: 'web', labels: { a: '1' } });
    expect(owned(left.managers, 'one')).toEqual(['.metadata.labels']);
    expect(owned(left.managers, 'two')).toEqual(['.metadata.labels.a']);
  });

  it('finds the conflict with another manager, and takes the field when forced', () => {
    const first = apply(EMPTY, pod({}, [{ name: 'c', image: 'nginx:1.27' }]), 'kubectl');
    const config = pod({}, [{ name: 'c', image: 'nginx:1.28' }]);
    expect(() => apply(first, config, 'other')).toThrow(
      'Apply failed with 1 conflict: conflict with "kubectl": .spec.containers[name="c"].image',
    );
    const forced = apply(first, config, 'other', true);
    expect(owned(forced.managers, 'kubectl')).not.toContain('.spec.containers[name="c"].image');
    expect(owned(forced.managers, 'other')).toContain('.spec.containers[name="c"].image');
  });

  it('lists every conflict by manager', () => {
    const one = update(EMPTY, pod({ a: '1' }), 'kubectl-create');
    const two = apply(one, pod({ b: '1' }), 'b');
    const attempt = () => apply(two, pod({ a: '2', b: '2' }), 'c');
    expect(attempt).toThrow(ApplyConflictError);
    expect(attempt).toThrow(
      'Apply failed with 2 conflicts: conflicts with "b":\n- .metadata.labels.b\n' +
        'conflicts with "kubectl-create" using v1:\n- .metadata.labels.a',
    );
  });

  it('keeps the order of the configuration, and other items where they stood', () => {
    const names = (...all: readonly string[]) => all.map((name) => ({ name }));
    const live = update(EMPTY, pod({}, names('a', 'side', 'b')), 'injector');
    const { object } = apply(live, pod({}, names('b', 'new', 'a')), 'me');
    expect((object['spec'] as Json)['containers']).toEqual(names('side', 'b', 'new', 'a'));
  });
});

describe('updating', () => {
  it('owns exactly what it changed, whoever had it before', () => {
    const before = apply(EMPTY, pod({ a: '1', b: '2' }, [{ name: 'c', image: 'x' }]), 'me');
    const after = pod({ a: '1', b: '3' }, [
      { name: 'c', image: 'x' },
      { name: 'd', image: 'y' },
    ]);
    const { managers } = update(before, after, 'editor');
    expect(owned(managers, 'editor')).toEqual([
      '.metadata.labels.b',
      '.spec.containers[name="d"]',
      '.spec.containers[name="d"].image',
      '.spec.containers[name="d"].name',
    ]);
    expect(owned(managers, 'me')).not.toContain('.metadata.labels.b');
  });

  it('owns nothing by removing', () => {
    const before = apply(EMPTY, pod({ a: '1', b: '2' }), 'me');
    const { managers } = update(before, pod({ a: '1' }), 'editor');
    expect(managers.map(({ name }) => name)).toEqual(['me']);
    expect(owned(managers, 'me')).not.toContain('.metadata.labels.b');
  });
});

describe('managers', () => {
  const filled = (name: string, time: string): Manager => ({
    ...manager(name, 'Update'),
    time,
    fields: setOf([[`f:${name}`]]),
  });

  it('come back from the wire, appliers first, then by time', () => {
    const managers = [
      filled('b', '2026-01-02T00:00:00Z'),
      filled('a', '2026-01-01T00:00:00Z'),
      { ...filled('z', '2026-01-03T00:00:00Z'), operation: 'Apply' as const },
    ];
    const entries = encodeManagers(managers) as readonly { manager: string }[];
    expect(entries.map(({ manager: name }) => name)).toEqual(['z', 'a', 'b']);
    expect(encodeManagers(decodeManagers(entries) ?? [])).toEqual(entries);
  });

  it('that update are at most ten: the oldest become one', () => {
    const managers = Array.from({ length: 13 }, (_, i) =>
      filled(`m${i}`, `2026-01-${String(i + 10)}T00:00:00Z`),
    );
    const capped = capUpdaters(managers);
    expect(capped).toHaveLength(10);
    expect(owned(capped, 'ancient-changes')).toEqual(['.m0', '.m1', '.m2', '.m3']);
  });

  it.each([[[{}]], ['x'], [[{ manager: 'a' }]], [[{ ...manager('a'), fieldsType: 'V2' }]]])(
    'are not read from %j',
    (entries) => expect(decodeManagers(entries)).toBeUndefined(),
  );

  it('are forgotten on demand', () => {
    expect([isReset([{}]), isReset([]), isReset(undefined)]).toEqual([true, false, false]);
  });
});

const label = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('1', '2'), {
  noNullPrototype: true,
});
const container = fc.record(
  {
    name: fc.constantFrom('x', 'y', 'z'),
    image: fc.constantFrom('i1', 'i2'),
    args: fc.array(fc.constantFrom('p', 'q'), { maxLength: 2 }),
    env: fc.uniqueArray(
      fc.record({ name: fc.constantFrom('E', 'F'), value: fc.constantFrom('1', '2') }),
      { selector: ({ name }) => name, maxLength: 2 },
    ),
  },
  { requiredKeys: ['name'], noNullPrototype: true },
);
const config = fc
  .tuple(label, fc.uniqueArray(container, { selector: ({ name }) => name, maxLength: 3 }))
  .map(([labels, containers]) => pod(labels, containers));
const history = fc.array(fc.tuple(fc.constantFrom('one', 'two', 'three'), config), {
  maxLength: 4,
});
const play = (steps: readonly (readonly [string, Json])[]): State =>
  steps.reduce<State>((state, [name, each]) => apply(state, each, name, true), EMPTY);

describe('whatever was applied before', () => {
  it('applying again changes nothing', () => {
    fc.assert(
      fc.property(history, config, (steps, last) => {
        const once = apply(play(steps), last, 'me', true);
        const twice = apply(once, last, 'me');
        expect(jsonEqual(twice.object, once.object)).toBe(true);
        expect(encodeManagers(twice.managers)).toEqual(encodeManagers(once.managers));
      }),
    );
  });

  it('the object holds all that was applied last, and its manager owns it', () => {
    fc.assert(
      fc.property(history, config, (steps, last) => {
        const { object, managers } = apply(play(steps), last, 'me', true);
        const { modified, added } = compareFields(STRUCTURE, object, last);
        expect(isEmptySet(union(modified, added))).toBe(true);
        expect(owned(managers, 'me').length).toBeGreaterThan(0);
      }),
    );
  });

  it('every field that a manager owns is there', () => {
    fc.assert(
      fc.property(history, (steps) => {
        const { object, managers } = play(steps);
        const present = new Set([...pathsOf(fieldsOf(STRUCTURE, object))].map(textOfPath));
        for (const { name } of managers)
          // An empty map is owned as such, and goes when the last of its members does.
          for (const field of owned(managers, name).filter((each) => each !== '.metadata.labels'))
            expect([...present].some((path) => path === field || path.startsWith(field))).toBe(
              true,
            );
      }),
    );
  });

  it('applying nothing leaves only what others own', () => {
    fc.assert(
      fc.property(config, config, (mine, theirs) => {
        const both = apply(apply(EMPTY, mine, 'me'), theirs, 'them', true);
        const bare = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' } };
        const { object, managers } = apply(both, bare, 'me');
        expect(managers.map(({ name }) => name)).toEqual(managers.length === 0 ? [] : ['them']);
        const left = fieldsOf(STRUCTURE, object);
        const expected = fieldsOf(STRUCTURE, theirs);
        expect(isEmptySet(compareFields(STRUCTURE, object, theirs).modified)).toBe(true);
        expect(equalSets(union(left, expected), expected)).toBe(true);
      }),
    );
  });
});
