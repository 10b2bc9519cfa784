import * as fc from 'fast-check';
import { readManifests, readYaml, toYaml, YamlError } from '../yaml';

const one = (text: string) => readYaml(text)[0]?.value;
const messageOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(YamlError);
    return (error as Error).message;
  }
  throw new Error('nothing was thrown');
};

it.each<[string, unknown]>([
  ['a: yes', { a: true }],
  ['a: Off', { a: false }],
  ['a: "yes"', { a: 'yes' }],
  ['a: 0640', { a: 416 }],
  ['a: 0o400', { a: 256 }],
  ['a: 0x1F', { a: 31 }],
  ['a: 640', { a: 640 }],
  ['a: 0.1', { a: 0.1 }],
  ['a: 64e6', { a: 64e6 }],
  ['a: 64Mi', { a: '64Mi' }],
  ['a: 22:22', { a: '22:22' }],
  ['a: 2026-01-01', { a: '2026-01-01' }],
  ['a: ~\nb:', { a: null, b: null }],
  ['a: 9007199254740993', { a: 9007199254740993n }],
  ['1: x\ntrue: z', { '1': 'x', true: 'z' }],
  ['a: !!str 1', { a: '1' }],
  ['{"a": [1, "x", null, true]}', { a: [1, 'x', null, true] }],
  ['{\n\t"a": 1\n}', { a: 1 }],
])('reads %j', (text, value) => {
  expect(one(text)).toEqual(value);
});

it('reads several documents with CRLF and a byte-order mark, and skips empty ones', () => {
  const text =
    '\uFEFF---\r\nkind: ConfigMap\r\ndata:\r\n  run.sh: |\r\n    #!/bin/sh\r\n    echo\r\n---\r\n---\r\n# nothing\r\n---\r\nkind: Pod\r\n';
  expect(readYaml(text).map(({ value }) => value)).toEqual([
    { kind: 'ConfigMap', data: { 'run.sh': '#!/bin/sh\necho\n' } },
    { kind: 'Pod' },
  ]);
  expect(readYaml('')).toEqual([]);
});

it('follows anchors and merge keys, the own keys winning', () => {
  const text = `
base: &base
  image: x
  env: [{name: A, value: "1"}]
second:
  <<: *base
  image: z
third:
  <<: [{a: 1}, {a: 2, b: 2}]
`;
  expect(one(text)).toMatchObject({
    second: { image: 'z', env: [{ name: 'A', value: '1' }] },
    third: { a: 1, b: 2 },
  });
});

it('refuses anchors that stand for billions of values', () => {
  const levels = Array.from({ length: 9 }, (_, i) => {
    const items = Array(10)
      .fill(i === 0 ? 'x' : `*a${i - 1}`)
      .join(', ');
    return `a${i}: &a${i} [${items}]`;
  });
  expect(messageOf(() => readYaml(levels.join('\n')))).toMatch(
    /^line \d+: the aliases of the document stand for more than 1000000 values$/,
  );
  const merges = Array.from({ length: 30 }, (_, i) =>
    i === 0 ? 'm0: &m0 {k: v}' : `m${i}: &m${i} {<<: [*m${i - 1}, *m${i - 1}]}`,
  );
  expect(messageOf(() => readYaml(merges.join('\n')))).toMatch(/aliases/);
});

it.each([
  ['a: &a [*a]', "line 1: anchor 'a' value contains itself"],
  ['a: *b', /unknown anchor|Unresolved alias/],
  ['a: 1\n  b: [', /^line [12]: /],
  ['? [x]\n: y', 'line 1: a key must be a single word'],
  ['<<: text', /map merge requires/],
])('refuses %j', (text, message) => {
  expect(messageOf(() => readYaml(text))).toMatch(message);
});

it('refuses what is too large, too deep or no text', () => {
  expect(messageOf(() => readYaml('['.repeat(5000)))).toMatch(/nested too deeply/);
  expect(messageOf(() => readYaml('['.repeat(300) + ']'.repeat(300)))).toMatch(/nested/);
  expect(messageOf(() => readYaml('x'.repeat(100), { bytesMax: 10 }))).toMatch(/larger than 10/);
  expect(messageOf(() => readYaml(Buffer.from([0x61, 0xff])))).toMatch(/not UTF-8/);
});

it.each(['? ', '- ', 'a: ', '[', '{a: ', '- ? ', '? - '])(
  'stops at nesting without end before anything recurses: %j',
  (part) => {
    expect(messageOf(() => readYaml(part.repeat(500_000)))).toMatch(/nested too deeply/);
  },
);

it('counts words and marks, whatever they stand for', () => {
  for (const part of ['&a ', '!t ', '*a ', '- x\n', '# x\n', 'a: 1\n', '"" '])
    expect(messageOf(() => readYaml(part.repeat(20_000), { tokensMax: 10_000 }))).toMatch(
      /^line \d+: the input has more than 10000 words and marks$/,
    );
  expect(one(`a: "${'x '.repeat(20_000)}"`)).toMatchObject({ a: expect.stringMatching(/^x x/) });
});

describe('byte-order marks', () => {
  const text = 'kind: ConfigMap\ndata: {a: "é𝄞"}\n---\nkind: Pod\n';
  const values = [{ kind: 'ConfigMap', data: { a: 'é𝄞' } }, { kind: 'Pod' }];
  const littleEndian = Buffer.from(`\uFEFF${text}`, 'utf16le');

  it.each<[string, Uint8Array | string]>([
    ['of UTF-16, little endian', littleEndian],
    ['of UTF-16, big endian', Buffer.from(littleEndian).swap16()],
    ['of UTF-8', Buffer.from(`\uFEFF${text}`)],
    ['before the second document', text.replace('---', '\uFEFF---')],
    ['after the dashes', text.replace('---\n', '--- # next\r\n\uFEFF')],
    ['in text that was decoded', `\uFEFF${text}`],
  ])('do no harm: %s', (_title, source) => {
    expect(readYaml(source).map(({ value }) => value)).toEqual(values);
  });

  it('inside a value are part of it', () => {
    expect(one('a: |\n  x\n  \uFEFF---\nb: "\uFEFFy"')).toEqual({
      a: 'x\n\uFEFF---\n',
      b: '\uFEFFy',
    });
  });

  it('of UTF-16 before what is none are refused', () => {
    expect(messageOf(() => readYaml(Buffer.from([0xff, 0xfe, 0x61])))).toMatch(/not UTF-16/);
  });
});

describe('manifests', () => {
  const twice = `kind: Deployment
spec:
  containers:
  - envFrom: [{configMapRef: {name: a}}]
    name: c
    envFrom: [{secretRef: {name: b}}]
`;

  it('report a key given twice with both lines and the path', () => {
    const text = 'key "envFrom" is given twice at spec.containers[0].envFrom: lines 4 and 6';
    expect(messageOf(() => readManifests(twice))).toBe(text);
    const { manifests, warnings } = readManifests(twice, { duplicateKeys: 'warn' });
    expect(warnings).toEqual([`${text}; the first value was dropped`]);
    expect(manifests[0]?.value).toMatchObject({
      spec: { containers: [{ envFrom: [{ secretRef: { name: 'b' } }] }] },
    });
  });

  it('find fields by line, in lists and through merge keys too', () => {
    const text = `apiVersion: v1
kind: List
items:
- kind: Pod
  spec: &s
    hostNetwork: 1
- kind: Pod
  spec:
    <<: *s
`;
    const { manifests } = readManifests(text);
    expect(manifests.map(({ line }) => line)).toEqual([4, 7]);
    expect(manifests[0]?.positionOf('spec.hostNetwork')).toEqual({ line: 6, column: 5 });
    expect(manifests[1]?.positionOf('spec.hostNetwork').line).toBe(6);
    expect(manifests[1]?.positionOf('spec.missing.deeper').line).toBe(8);
  });

  it('are objects', () => {
    expect(messageOf(() => readManifests('a: 1\n---\nhello\n'))).toBe(
      'line 3: expected an object, found a string',
    );
  });
});

describe('writing', () => {
  it('prints as kubectl does', () => {
    const value = {
      metadata: { name: 'x', annotations: { last: '{"a":1}\n' }, uid: '1e3' },
      data: { 'a.conf': 'x = 1\n  y\n', tail: 'no end\nhere', empty: '', on: 'yes' },
      list: [1, 'two', { b: 1, a: [] }, ['x']],
      none: null,
      map: {},
      time: '2026-11-25T02:41:24Z',
      star: '*',
      colon: 'a: b',
      port: '12:30',
      big: 9007199254740993n,
    };
    expect(toYaml(value)).toBe(`big: 9007199254740993
colon: 'a: b'
data:
  a.conf: |
    x = 1
      y
  empty: ""
  "on": "yes"
  tail: |-
    no end
    here
list:
- 1
- two
- a: []
  b: 1
- - x
map: {}
metadata:
  annotations:
    last: |
      {"a":1}
  name: x
  uid: "1e3"
none: null
port: "12:30"
star: '*'
time: "2026-11-25T02:41:24Z"
`);
  });

  it('orders keys by the numbers in them', () => {
    expect(toYaml({ a10: 1, a2: 1, 'a.b': 1, B: 1 })).toBe('B: 1\na.b: 1\na2: 1\na10: 1\n');
  });

  it('folds long words at spaces', () => {
    const message = `${'word '.repeat(20)}end`;
    const text = toYaml({ message });
    expect(text.split('\n')[1]).toMatch(/^ {2}word/);
    expect(one(text)).toEqual({ message });
  });

  it('reads back what it prints', () => {
    const word = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.string(),
      fc.stringMatching(/^[-: #'"\n\t a-z0-9|>]{0,90}$/),
      fc.constantFrom(
        'yes',
        '0640',
        '12:30',
        '~',
        '<<',
        '---',
        '1_0',
        '.5',
        '\u0085',
        ' x',
        'x\n\n',
      ),
    );
    const json = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        word,
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(word, tie('value'), { maxKeys: 4 }),
      ),
    })).value;
    fc.assert(
      fc.property(json, (value) => {
        const read = readYaml(`doc:\n${toYaml([value])}`)[0]?.value as { doc: unknown[] };
        expect(JSON.stringify(read.doc[0])).toBe(JSON.stringify(sorted(value)));
      }),
      { numRuns: 500 },
    );
  });
});

/** Reading gives the keys in the order in which they were printed. */
const sorted = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(one(toYaml({ v: value })) ?? null)).v;
