import fc from 'fast-check';
import {
  BOOL,
  CelBudget,
  CelBudgetError,
  CelCompileError,
  celEnvironment,
  CelRuntimeError,
  compileCel,
  DYN,
  escapeFieldName,
  INT,
  listOf,
  optionalOf,
  PER_CALL_LIMIT,
  schemaType,
  STRING,
  type CelType,
  type SchemaShape,
} from '.';
import { SOURCE_MAX } from './parser';

const evaluate = (source: string, self: unknown = null, type: CelType = DYN): unknown =>
  compileCel(source, celEnvironment({ self: type })).evaluate({ self }, new CelBudget());

const typed = (schema: SchemaShape): CelType => schemaType(schema, { isRoot: false })!;

describe('the libraries of the API server', () => {
  it.each([
    // lists
    '[1, 2, 2, 3].isSorted() && !["b", "a"].isSorted()',
    '[1, 2, 3].sum() == 6 && [1.5, 2.5].sum() == 4.0 && [duration("1h")].sum() == duration("60m")',
    '[3, 1, 2].min() == 1 && ["a", "c", "b"].max() == "c"',
    '[1, 2, 2].indexOf(2) == 1 && [1, 2, 2].lastIndexOf(2) == 2 && [1].indexOf(4) == -1',
    // sets
    'sets.contains([1, 2, 3], [3, 1]) && !sets.contains([1], [2])',
    'sets.equivalent([1, 2], [2, 1, 1]) && sets.intersects([1], [1, 2])',
    // regex
    '"abc 123".find("[0-9]+") == "123" && "abc".find("[0-9]+") == ""',
    '"123 abc 456".findAll("[0-9]+") == ["123", "456"] && "1 2 3".findAll("[0-9]", 2) == ["1", "2"]',
    // strings
    '"tacocat".substring(2, 4) == "co" && "hello".charAt(4) == "o" && "a,b".split(",") == ["a", "b"]',
    '"  x ".trim() == "x" && "TacoCat".lowerAscii() == "tacocat" && ["a", "b"].join("-") == "a-b"',
    '"hello hello".replace("he", "we", 1) == "wello hello" && "x=%d".format([7]) == "x=7"',
    // url
    'isURL("https://example.com:80/path?q=1#f") && !isURL("../x") && !isURL("https://a:b:c/")',
    'url("https://example.com:80/p").getHost() == "example.com:80"',
    'url("https://[::1]:80/").getHostname() == "::1" && url("https://[::1]:80/").getPort() == "80"',
    'url("https://example.com/path with spaces/").getEscapedPath() == "/path%20with%20spaces/"',
    'url("https://x.y/p?k1=a&k2=b&k2=c").getQuery() == {"k1": ["a"], "k2": ["b", "c"]}',
    'url("/path").getScheme() == "" && url("https://x/").getScheme() == "https"',
    // addresses
    'isIP("127.0.0.1") && isIP("::1") && !isIP("127.0.0.256") && !isIP("::ffff:1.2.3.4")',
    'ip("127.0.0.1").isLoopback() && ip("::1").family() == 6 && ip("169.254.0.1").isLinkLocalUnicast()',
    'ip.isCanonical("2001:db8::abcd") && !ip.isCanonical("2001:DB8::ABCD")',
    'ip("2001:db8::abcd") == ip("2001:DB8:0::ABCD") && string(ip("2001:DB8::0:1")) == "2001:db8::1"',
    'cidr("192.168.0.0/24").containsIP("192.168.0.7") && !cidr("10.0.0.0/8").containsIP(ip("11.0.0.1"))',
    'cidr("192.168.0.0/16").containsCIDR("192.168.10.0/24") && cidr("10.0.0.1/8").masked() == cidr("10.0.0.0/8")',
    'cidr("10.0.0.0/8").prefixLength() == 8 && !isCIDR("10.0.0.0/33")',
    // quantities
    'quantity("1Gi").isGreaterThan(quantity("1G")) && quantity("50k").compareTo(quantity("50000")) == 0',
    'quantity("200M").add(quantity("2M")).asInteger() == 202000000 && !isQuantity("10Gb")',
    'quantity("-100m").sign() == -1 && quantity("50.3").asApproximateFloat() == 50.3',
    // semver
    'semver("1.2.3").isGreaterThan(semver("1.2.3-alpha.1")) && semver("v1.2", true).minor() == 2',
    '!isSemver("v1.2.3") && isSemver("1.0.0+build") && semver("1.10.0").compareTo(semver("1.9.0")) == 1',
    // formats
    '!format.dns1123Label().validate("my-name").hasValue()',
    'format.dns1123Label().validate("My_Name").value().size() == 1',
    'format.named("uuid").value().validate("123e4567-e89b-12d3-a456-426614174000") == optional.none()',
    '!format.named("nothing").hasValue() && format.date().validate("2021-13-01").hasValue()',
    // optional values
    'optional.none().orValue(1) == 1 && optional.of(2).optMap(x, x * 2) == optional.of(4)',
    '{"a": {"b": 1}}.?a.?b.orValue(0) == 1 && {"a": {"b": 1}}.?x.b.orValue(0) == 0',
    '[1, 2][?5].orValue(9) == 9 && {?"a": optional.none(), "b": 1} == {"b": 1}',
    // two variables
    '["a", "b"].all(i, v, i < 2 && v != "") && {"k": 1}.exists(k, v, k == "k" && v == 1)',
    '[1, 2].transformList(i, v, i + v) == [1, 3] && {"a": 1}.transformMap(k, v, v + 1) == {"a": 2}',
    '{"a": "x"}.transformMapEntry(k, v, {v: k}) == {"x": "a"}',
  ])('%s', (source) => {
    expect(evaluate(source)).toBe(true);
  });

  it.each([
    ['url("../x") == url("/")', 'invalid URI for request'],
    ['ip("1.2.3") == ip("::1")', 'IP Address parse error during conversion from string'],
    ['quantity("10Gb").sign() == 1', 'quantities must match the regular expression'],
    ['[1][4] == 1', 'index out of bounds: 4'],
    ['{"a": 1}.b == 1', 'no such key: b'],
    ['1 / int(self) == 1', 'division by zero'],
    ['9223372036854775807 + int(self) + 1 == 1', 'integer overflow'],
    ['[].min() == 1', 'min called on empty list'],
  ])('%s has no value', (source, message) => {
    expect(() => evaluate(source, '0')).toThrow(message);
  });
});

describe('what is said of expressions that cannot be meant', () => {
  it.each([
    ['x', "ERROR: <input>:1:1: undeclared reference to 'x' (in container '')\n | x\n | ^"],
    ['self.', "Syntax error: mismatched input '<EOF>' expecting IDENTIFIER"],
    ['self >', "Syntax error: mismatched input '<EOF>' expecting {'['"],
    ['self.foo(1)', "undeclared reference to 'foo' (in container '')"],
    ['1 + "a"', "found no matching overload for '_+_' applied to '(int, string)'"],
    ['"a".startsWith(1)', "found no matching overload for 'startsWith' applied to 'string.(int)'"],
    ['"a".matches("(")', 'invalid matches argument'],
    ['duration("1") == duration("2")', 'invalid duration argument'],
    ['Pod{name: "x"} == self', "undeclared reference to 'Pod' (in container '')"],
  ])('%s', (source, message) => {
    const compile = () => compileCel(source, celEnvironment({ self: DYN }));
    expect(compile).toThrow(CelCompileError);
    expect(compile).toThrow(message);
  });

  it('names the type that an expression comes to when another was wanted', () => {
    expect(() => compileCel('1 + 1', celEnvironment({}), 'bool')).toThrow(
      'must evaluate to bool but got int',
    );
    expect(() => compileCel('true', celEnvironment({}), 'string or null')).toThrow(
      'must evaluate to one of [string null] but got bool',
    );
    // What is dynamic may come to anything, but is not known to be a truth, as upstream.
    expect(() => compileCel('self', celEnvironment({ self: DYN }), 'bool')).toThrow(
      'must evaluate to bool but got dyn',
    );
  });
});

describe('values of a schema', () => {
  const schema: SchemaShape = {
    type: 'object',
    properties: {
      replicas: { type: 'integer' },
      ratio: { type: 'number' },
      'my-field': { type: 'string' },
      namespace: { type: 'string' },
      port: { 'x-kubernetes-int-or-string': true },
      when: { type: 'string', format: 'date-time' },
      every: { type: 'string', format: 'duration' },
      data: { type: 'string', format: 'byte' },
      labels: { type: 'object', additionalProperties: { type: 'string' } },
      tags: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' },
      ports: {
        type: 'array',
        items: { type: 'object', properties: { name: { type: 'string' }, n: { type: 'integer' } } },
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      },
      anything: { type: 'object' },
    },
  };
  const self = {
    ...{ replicas: 3, ratio: 2, 'my-field': 'a', namespace: 'n', port: 80 },
    ...{ when: '2024-01-02T03:04:05Z', every: '1d', data: 'aGk=' },
    labels: { 'a/b': 'c' },
    tags: ['x', 'y'],
    ports: [
      { name: 'a', n: 1 },
      { name: 'b', n: 2 },
    ],
  };

  it.each([
    'self.replicas + 1 == 4 && self.ratio == 2.0',
    'self.my__dash__field == "a" && self.__namespace__ == "n"',
    'type(self.port) == int && self.port < 100 && dyn("80%") != self.port',
    'self.when.getFullYear() == 2024 && self.every == duration("24h") && self.data == b"hi"',
    'self.labels["a/b"] == "c" && "a/b" in self.labels && !has(self.labels.x)',
    'has(self.replicas) && !has(self.anything)',
    'self.ports.exists(p, p.name == "b" && p.n == 2)',
  ])('%s', (source) => {
    expect(evaluate(source, self, typed(schema))).toBe(true);
  });

  it.each([
    ['self.nothing', "undefined field 'nothing'"],
    ['self.replicas == "3"', "found no matching overload for '_==_' applied to '(int, string)'"],
    ['self.anything.x == 1', "undefined field 'x'"],
    ['has(self.labels)  && self.replicas', "expected type 'bool' but found 'int'"],
  ])('%s is refused', (source, message) => {
    expect(() => evaluate(source, self, typed(schema))).toThrow(message);
  });

  it('compares lists that are sets or maps in any order, and joins them as such', () => {
    const environment = celEnvironment({ self: typed(schema), oldSelf: typed(schema) });
    const oldSelf = { ...self, tags: ['y', 'x'], ports: [...self.ports].reverse() };
    const isTrue = (source: string) =>
      compileCel(source, environment).evaluate({ self, oldSelf }, new CelBudget());
    expect(isTrue('self.tags == oldSelf.tags && self.ports == oldSelf.ports')).toBe(true);
    expect(isTrue('(self.tags + oldSelf.tags).size() == 2')).toBe(true);
    expect(isTrue('(self.ports + oldSelf.ports).size() == 2')).toBe(true);
  });

  it('has the metadata of a resource at its root, and an old value that may be none', () => {
    const type = schemaType({ type: 'object', properties: {} }, { isRoot: true })!;
    const object = { kind: 'K', metadata: { name: 'x', labels: {} } };
    expect(evaluate('self.metadata.name == "x" && self.kind == "K"', object, type)).toBe(true);
    expect(() => evaluate('self.metadata.labels', object, type)).toThrow(
      "undefined field 'labels'",
    );
    const rule = compileCel(
      'oldSelf.hasValue() ? oldSelf.value() < self : self == 1',
      celEnvironment({ self: INT, oldSelf: optionalOf(INT) }),
      'bool',
    );
    expect(rule.evaluateBool({ self: 1 }, new CelBudget())).toBe(true);
    expect(rule.evaluateBool({ self: 1, oldSelf: 5 }, new CelBudget())).toBe(false);
    expect([rule.uses('oldSelf'), rule.uses('other')]).toEqual([true, false]);
  });

  it('knows nothing of what has no type, and keeps integers of 64 bits', () => {
    expect(schemaType({})).toBeUndefined();
    expect(schemaType({ type: 'array', items: {} })).toBeUndefined();
    expect(evaluate('self == 9007199254740993', 9007199254740993n, INT)).toBe(true);
    expect(evaluate('self.x == 9007199254740993', { x: 9007199254740993n })).toBe(true);
  });

  it('has no prototype behind its objects', () => {
    expect(evaluate('has(self.constructor) || "__proto__" in self', {})).toBe(false);
    expect(() => evaluate('self.toString == 1', {})).toThrow('no such key: toString');
  });

  it.each([
    ['a-b.c/d', 'a__dash__b__dot__c__slash__d'],
    ['a__b', 'a__underscores__b'],
    ['if', '__if__'],
    ['1a', undefined],
    ['a b', undefined],
  ])('calls the field %s %s', (name, escaped) => {
    expect(escapeFieldName(name)).toBe(escaped);
  });
});

describe('bounds', () => {
  const list = Array.from({ length: 2000 }, (_, i) => i);
  const nested = 'self.all(a, self.all(b, self.all(c, a + b + c >= 0)))';
  const isOver = (source: string, self: unknown): unknown => {
    try {
      return evaluate(source, self);
    } catch (error) {
      return error;
    }
  };

  it('stops an expression that does too much, and no part of it can go on', () => {
    const over = isOver(`${nested} || true`, list);
    expect(over).toBeInstanceOf(CelBudgetError);
    expect((over as CelBudgetError).scope).toBe('call');
  });

  it('takes what expressions cost from one budget', () => {
    const program = compileCel(nested, celEnvironment({ self: listOf(INT) }));
    const budget = new CelBudget(PER_CALL_LIMIT * 1.5);
    const scopes = [1, 2, 3].map(() => {
      try {
        return program.evaluate({ self: list }, budget);
      } catch (error) {
        return (error as CelBudgetError).scope;
      }
    });
    expect(scopes).toEqual(['call', 'budget', 'budget']);
    expect(budget.remaining).toBe(0);
  });

  it('evaluates a variable once, when it is first asked for', () => {
    let count = 0;
    const program = compileCel('self == 1 && self == 1', celEnvironment({ self: INT, other: INT }));
    const self = () => ++count;
    const other = () => ++count;
    expect(program.evaluate({ self, other }, new CelBudget())).toBe(true);
    expect(count).toBe(1);
  });

  const text = 'a'.repeat(200_000);
  it.each([
    ['self.list.map(a, self.list + self.list)'],
    ['self.list.map(a, self.list == self.list)'],
    ['self.list.exists(x, self.text.matches("(a+)+$b"))'],
    ['self.text.matches("(a|aa)+$b") || self.list.all(x, self.text.matches("(x+x+)+y"))'],
    ['self.list.map(x, self.text + self.text)'],
    ['self.list.map(x, self.text.replace("", self.text))'],
    ['self.list.map(x, self.text.split(""))'],
    ['self.list.map(x, self.text.findAll("a"))'],
    ['self.list.map(x, "%s".format([self.text]))'],
    ['self.list.exists(x, self.list.exists(y, y / 0 == 1))'],
    ['self.list.map(x, {string(x): self.list}).map(m, m == m)'],
    ['self.list.map(x, timestamp("2020-01-01T00:00:00Z").getHours("Europe/Berlin"))'],
    ['self.list.map(x, "x".matches("(" + string(x) + "){1,90}"))'],
    ['self.list.all(x, format.dns1123Subdomain().validate(self.text).hasValue())'],
  ])('%s is stopped', (source) => {
    expect(isOver(source, { list, text })).toBeInstanceOf(CelBudgetError);
  });

  it.each([
    '('.repeat(1000) + '1' + ')'.repeat(1000),
    '['.repeat(100_000),
    '!'.repeat(99_999) + 'x',
    `self${'.a'.repeat(40_000)}`,
    `self${'[0]'.repeat(30_000)}`,
    'true ? '.repeat(10_000),
    `1${'+1'.repeat(40_000)}`,
    `self${'.f(1'.repeat(20_000)}`,
    `[${'1,'.repeat(40_000)}1]`,
    'x'.repeat(SOURCE_MAX + 1),
    `"${'\\n'.repeat(49_000)}`,
    '"""'.repeat(33_333),
    '"a".matches("' + '(a{1,100}){1,100}'.repeat(40) + '")',
    `self.all(${'a.all('.repeat(10_000)}`,
  ])('refuses a text without end, quickly', (source) => {
    expect(() => compileCel(source, celEnvironment({ self: DYN }))).toThrow(CelCompileError);
  });

  it('takes long chains of logic', () => {
    expect(evaluate(Array.from({ length: 5000 }, () => 'true').join(' && '))).toBe(true);
  });
});

describe('hostile expressions', () => {
  const environment = celEnvironment({ self: DYN, s: STRING, b: BOOL, n: INT, l: listOf(STRING) });
  const values = { self: { a: [1, { b: null }], c: 'x' }, s: 'é😀x', b: true, n: 7, l: ['p', 'q'] };

  /** Anything but an answer or one of the engine's own errors is a fault. */
  const survives = (source: string): void => {
    try {
      compileCel(source, environment).evaluate(values, new CelBudget(50_000));
    } catch (error) {
      const isOwn =
        error instanceof CelCompileError ||
        error instanceof CelBudgetError ||
        (error instanceof CelRuntimeError && !error.message.startsWith('internal error'));
      if (!isOwn) throw new Error(`${source}: ${String(error)}`, { cause: error });
    }
  };

  const WORDS = (
    'self s b n l 1 0 -1 2.5 7u "x" \'\' b"y" null true [ ] { } ( ) . , : ? ?. .? [? + - * / % ! == != ' +
    '< <= > >= && || in has( size( .all(x, .exists(x, .map(x, .filter(x, .optMap(x, x .a .c .size() ' +
    '.matches( .find( .format( .split( .join( .replace( .substring( .charAt( .indexOf( .sum() .min() ' +
    'type( int( string( double( timestamp( duration( url( ip( cidr( quantity( semver( dyn( optional.of( ' +
    'sets.contains( .value() .transformMap(k, v, format.uri() .validate( bytes( .isSorted() r"\\" """ //'
  ).split(' ');

  it('survives any order of its words', () => {
    const word = fc.constantFrom(...WORDS);
    fc.assert(
      fc.property(fc.array(word, { maxLength: 14 }), (words) => {
        survives(words.join(' '));
      }),
      { numRuns: 3000 },
    );
  });

  it('survives any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (source) => {
        survives(source);
      }),
      { numRuns: 1500 },
    );
  });

  it('survives calls of every function with values of every type', () => {
    const { expr } = fc.letrec<{ expr: string }>((tie) => ({
      expr: fc.oneof(
        { maxDepth: 4, withCrossShrink: true },
        fc.constantFrom(
          'self',
          's',
          'b',
          'n',
          'l',
          '1',
          '-9223372036854775808',
          '1.5',
          '3u',
          '"%s"',
        ),
        fc.constantFrom(
          'null',
          'dyn(n)',
          'dyn(s)',
          '[]',
          '{}',
          'self.a',
          'optional.none()',
          'b"x"',
        ),
        fc
          .tuple(fc.constantFrom(...FUNCTIONS), fc.array(tie('expr'), { maxLength: 3 }))
          .map(([name, args]) => `${name}(${args.join(', ')})`),
        fc
          .tuple(
            tie('expr'),
            fc.constantFrom(...FUNCTIONS),
            fc.array(tie('expr'), { maxLength: 2 }),
          )
          .map(([target, name, args]) => `(${target}).${name}(${args.join(', ')})`),
        fc
          .tuple(tie('expr'), fc.constantFrom(...OPERATORS), tie('expr'))
          .map(([left, operator, right]) => `(${left} ${operator} ${right})`),
        fc
          .tuple(tie('expr'), fc.constantFrom('all', 'exists', 'map', 'filter'), tie('expr'))
          .map(([range, macro, body]) => `(${range}).${macro}(x, dyn(x) == ${body})`),
        tie('expr').map((inner) => `dyn(${inner})`),
      ),
    }));
    fc.assert(
      fc.property(expr, (source) => {
        survives(source);
      }),
      { numRuns: 4000 },
    );
  });
});

const OPERATORS = ['+', '-', '*', '/', '%', '==', '!=', '<', '>=', '&&', '||', 'in'];
const FUNCTIONS = (
  'size type int uint double string bool bytes dyn timestamp duration getFullYear getHours contains ' +
  'startsWith endsWith matches charAt indexOf lastIndexOf substring lowerAscii upperAscii trim replace ' +
  'split join format strings.quote find findAll isSorted min max sum sets.contains sets.intersects ' +
  'sets.equivalent url isURL getHost getQuery ip isIP cidr isCIDR containsIP masked quantity isQuantity ' +
  'add sub asInteger semver isSemver isLessThan compareTo format.uri format.named validate optional.of ' +
  'optional.none hasValue value or orValue unwrapOpt'
).split(' ');
