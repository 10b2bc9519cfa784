import { parseFieldPath, parseJsonPath } from './jsonpath';

const PODS = {
  kind: 'List',
  items: [
    {
      metadata: { name: 'a', labels: { 'app.kubernetes.io/name': 'web', tier: 'front' } },
      spec: { nodeName: 'node-1', containers: [{ image: 'x:1' }, { image: 'y:2' }] },
      status: { restarts: 3, conditions: [{ type: 'Ready', status: 'True' }] },
    },
    {
      metadata: { name: 'b', labels: {} },
      spec: { nodeName: 'node-2', containers: [{ image: 'z:3' }] },
      status: { restarts: 0, conditions: [] },
    },
  ],
};

it.each([
  ['{.kind}', 'List'],
  ['{$.kind}', 'List'],
  ['kind={.kind};', 'kind=List;'],
  ['{.items[*].metadata.name}', 'a b'],
  ['{.items..name}', 'a b'],
  ['{..image}', 'x:1 y:2 z:3'],
  ['{.items[0].metadata.name}', 'a'],
  ['{.items[-1].metadata.name}', 'b'],
  ['{.items[0:1].metadata.name}', 'a'],
  ['{.items[0,1].metadata.name}', 'a b'],
  ["{.items[*]['metadata.name']}", ''],
  ["{.items[0].metadata.labels['tier','app.kubernetes.io/name']}", 'front web'],
  ['{.items[0].metadata.labels.app\\.kubernetes\\.io/name}', 'web'],
  ['{.items[0].metadata.labels}', '{"app.kubernetes.io/name":"web","tier":"front"}'],
  ['{.items[?(@.metadata.name=="b")].spec.containers[*].image}', 'z:3'],
  ['{.items[?(@.status.restarts > 2)].metadata.name}', 'a'],
  ['{.items[?(@.metadata.labels.tier)].metadata.name}', 'a'],
  ['{.items[*].status.conditions[?(@.type=="Ready")].status}', 'True'],
  [
    '{range .items[*]}{.metadata.name}{"\\t"}{.spec.nodeName}{"\\n"}{end}',
    'a\tnode-1\nb\tnode-2\n',
  ],
  ['{.items[0].status.restarts}{.nothing}', '3'],
])('finds %s as kubectl does', (template, text) => {
  expect(parseJsonPath(template).render(PODS)).toBe(text);
});

it.each([
  ['{.items[*', 'error parsing jsonpath {.items[*, unterminated array'],
  ['{.items', 'error parsing jsonpath {.items, unclosed action'],
  ['{range .items[*]}x', 'error parsing jsonpath {range .items[*]}x, unexpected end of range'],
  ['{end}', 'error parsing jsonpath {end}, not in range, nothing to end'],
  ['{"x}', 'error parsing jsonpath {"x}, unterminated quoted string'],
])('tells what is wrong with %s', (template, message) => {
  expect(() => parseJsonPath(template)).toThrow(message);
});

it('tells of an index that is not there', () => {
  expect(() => parseJsonPath('{.items[7]}').render(PODS)).toThrow(
    'array index out of bounds: index 7, length 2',
  );
});

it.each(['.items[0].metadata.name', 'items[0].metadata.name', '{.items[0].metadata.name}'])(
  'takes a field as %s',
  (path) => {
    expect(parseFieldPath(path)(PODS)).toEqual(['a']);
  },
);

it('refuses a field path that is a template', () => {
  expect(() => parseFieldPath('{.a}{.b}')).toThrow('unexpected path string');
});

it('prints a mapping in the order of its names, as kubectl does', () => {
  expect(parseJsonPath('{.x}').render({ x: { b: [{ d: 1, c: 2 }], a: null } })).toBe(
    '{"a":null,"b":[{"c":2,"d":1}]}',
  );
});
