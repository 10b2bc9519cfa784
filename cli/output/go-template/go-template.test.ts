import fc from 'fast-check';
import { UsageError } from '../../usage-error';
import { goTemplate } from '.';
import { numberOf, unquote } from './literals';
import { printf } from './printf';

/* What is expected here is what kubectl 1.34 prints for the same template and document. */

const DOCUMENT = {
  ...{ list: ['a', 'b', 'c'], nums: [1, 2, 3], m: { x: '1', b: '2' }, nested: [{ k: 'v' }] },
  ...{ empty: [], nul: null, zero: 0, n: 3, t: true, f: 1.5, s: 'str', big: 9007199254740993n },
  data: { n: '3', b: 'aGVsbG8=' },
};

const print = (template: string, document: unknown = DOCUMENT) => goTemplate(template)(document);

it.each([
  ['fields', '{{.m.x}} {{.nope.b}} {{.nul}} {{$.s}}', '1 <no value> <no value> str'],
  ['whole values', '{{.m}} {{.list}} {{print .nope}}', 'map[b:2 x:1] [a b c] <nil>'],
  [
    'numbers',
    '{{1e6}} {{123456.7}} {{0.00001}} {{1.0}} {{0x1F}} {{.big}}',
    '1e+06 123456.7 1e-05 1 31 9007199254740993',
  ],
  [
    'range',
    '{{range $i, $e := .list}}{{$i}}={{$e}};{{end}}{{range .m}}{{.}}{{end}}',
    '0=a;1=b;2=c;21',
  ],
  ['range of nothing', '{{range .empty}}x{{else}}e{{end}}{{range .nope}}x{{else}}n{{end}}', 'en'],
  ['range of a number', '{{range 3}}{{.}}{{end}}', '012'],
  [
    'break and continue',
    '{{range .list}}{{if eq . "a"}}{{continue}}{{end}}{{.}}{{break}}{{end}}',
    'b',
  ],
  ['if', '{{if .nope}}a{{else if .n}}b{{else}}c{{end}}{{if .zero}}x{{else}}z{{end}}', 'bz'],
  ['with', '{{with .m}}{{.x}}{{end}}{{with .nope}}a{{else with .list}}{{.}}{{end}}', '1[a b c]'],
  ['white space', 'a  {{- 1 -}}  b {{/* c */}} d {{- /* c */ -}} e', 'a1b  de'],
  ['variables', '{{$x := 1}}{{if true}}{{$x = 3}}{{$x := 4}}{{$x}}{{end}}{{$x}}', '43'],
  [
    'templates',
    '{{define "T"}}<{{.}}>{{end}}{{template "T" .n}}{{block "B" .m}}[{{.x}}]{{end}}',
    '<3>[1]',
  ],
  [
    'pipelines',
    '{{.m.x | printf "%s-%s" "a"}} {{(index .nested 0).k}} {{len (slice .list 1)}}',
    'a-1 v 2',
  ],
  ['index', '{{index .list 1}} {{index .m "zz"}} {{index .nested 0 "k"}}', 'b <no value> v'],
  [
    'and, or, not',
    '{{and 1 0 2}} {{or 0 "" "x"}} {{not .nope}} {{and .nope (len 3)}}',
    '0 x true <no value>',
  ],
  [
    'comparisons',
    '{{eq 1 2 1}} {{ne "a" "b"}} {{lt 1 2}} {{le 2 2}} {{gt 3 2}} {{ge 1 2}}',
    'true true true true true false',
  ],
  ['nothing compared', '{{eq .nope nil}} {{eq .nope "x"}}', 'true false'],
  [
    "kubectl's own",
    '{{.data.b|base64decode}} {{exists .data "b"}} {{exists .list 9}}',
    'hello true false',
  ],
  ['print', '{{print 1 2 "a" 3}}|{{println 1 "a"}}', '1 2a3|1 a\n'],
  [
    'escapes',
    `{{html "<a&'">"}} {{js "it's"}} {{urlquery "a b&c"}}`.replace('">"', '\\">"'),
    "&lt;a&amp;&#39;&#34;&gt; it\\'s a+b%26c",
  ],
  ['literals', '{{"a\\tb\\u00e9\\x41"}}{{`raw\\n`}}{{\'a\'}}', 'a\tbéAraw\\n97'],
])('prints %s', (_, template, text) => {
  expect(print(template)).toBe(text);
});

it.each([
  ['{{nope}}', 'function "nope" not defined'],
  ['{{.a', 'unclosed action'],
  ['x\n{{.a\n', 'unclosed action started at output:2', 3],
  ['{{/* x', 'unclosed comment'],
  ['{{/*/}}', 'unclosed comment'],
  ['{{end}}', 'unexpected {{end}}'],
  ['{{if}}', 'missing value for if'],
  ['{{if true}}x', 'unexpected EOF'],
  ['{{if true}}{{else}}{{else}}{{end}}', 'expected end; found {{else}}'],
  ['{{break}}', '{{break}} outside {{range}}'],
  ['{{$y}}', 'undefined variable "$y"'],
  ['{{1 | 2}}', 'non executable command in pipeline stage 2'],
  ['{{.x!}}', "bad character U+0021 '!'"],
  ['{{"a}}', 'unterminated quoted string'],
  ['{{(1}}', 'unclosed left paren'],
  ["{{'ab'}}", "malformed character constant: 'ab'"],
  ['{{range $a, $b, $c := .m}}{{end}}', 'too many declarations in range'],
  ['{{template .x}}', 'unexpected ".x" in template clause'],
  ['{{define "A"}}x{{end}}{{define "A"}}y{{end}}', 'template: multiple definition of template "A"'],
])('refuses %j', (template, message, line = 1) => {
  expect(() => goTemplate(template)).toThrow(
    `error parsing template ${template}, template: output:${line}: ${message}`,
  );
});

it.each([
  ['{{.s.x}}', '1:4', '.s.x', "can't evaluate field x in type interface {}"],
  ['{{with .s}}{{.x}}{{end}}', '1:13', '.x', "can't evaluate field x in type string"],
  ['{{.nul.x}}', '1:6', '.nul.x', 'nil pointer evaluating interface {}.x'],
  ['é\n{{index .list 9}}', '2:2', 'index .list 9', 'error calling index: index out of range: 9'],
  ['é{{len .f}}', '1:4', 'len .f', 'error calling len: len of type float64'],
  ['{{eq 1 "a"}}', '1:2', 'eq 1 "a"', 'error calling eq: incompatible types for comparison'],
  ['{{len}}', '1:2', 'len', 'wrong number of args for len: want 1 got 0'],
  ['{{base64decode .zz}}', '1:15', '.zz', 'invalid value; expected string'],
  ['{{.n 1}}', '1:2', '.n', 'n is not a method but has arguments'],
  ['{{1 2}}', '1:2', '1', "can't give argument to non-function 1"],
  ['{{range .t}}{{end}}', '1:8', '.t', "range can't iterate over true"],
  ['{{template "x"}}', '1:11', '{{template "x"}}', 'template "x" not defined'],
])('says where %j fails', (template, place, spot, message) => {
  expect(() => print(template)).toThrow(
    `template: output:${place}: executing "output" at <${spot}>: ${message}`,
  );
});

it.each([
  [
    '%v|%5s|%-5s|%05d|%+d|%x|%q',
    [1.5, 'a', 'b', -42, 7, 255, 'é'],
    '1.5|    a|b    |-0042|+7|ff|"é"',
  ],
  [
    '%8.3f|%e|%c|%U|%t|%%|%.2s',
    [3.14159, 12345.678, 65, 8364, true, 'héllo'],
    '   3.142|1.234568e+04|A|U+20AC|true|%|hé',
  ],
  ['%d %d', ['x'], '%!d(string=x) %!d(MISSING)'],
  ['a', ['b'], 'a%!(EXTRA string=b)'],
  ['%[2]d %[1]d %', [1, 2], '2 1 %!(NOVERB)'],
  ['%s %v %d', [['a', 'b'], { b: 1, a: null }, [1, 2]], '[a b] map[a:<nil> b:1] [1 2]'],
])('formats %j', (format, args, text) => {
  expect(printf(format, args)).toBe(text);
});

it('prints no data of which a text would be something else', () => {
  const document = { data: Buffer.from([0xff, 0xfe]).toString('base64') };
  expect(() => print('{{base64decode .data}}', document)).toThrow('the data is no text');
});

it('ends templates that have no end, go too deep or write too much', () => {
  expect(() => print('{{range 100000000}}{{end}}')).toThrow('more than');
  expect(() => print('{{define "R"}}{{template "R" .}}{{end}}{{template "R" .}}')).toThrow(
    'exceeded maximum template depth',
  );
  const wide = '{{range 100000}}{{printf "%9999s" "x"}}{{end}}';
  expect(() => print(wide)).toThrow('the output is longer than');
  expect(() => goTemplate('{{if 1}}'.repeat(5000))).toThrow('nested too deeply');
  expect(() => goTemplate(`{{${'('.repeat(5000)}`)).toThrow('nested too deeply');
});

it('takes members by their own names only', () => {
  expect(print('{{.constructor}} {{.__proto__}} {{index . "toString"}}')).toBe(
    '<no value> <no value> <no value>',
  );
});

it('prints a text without actions as it is', () => {
  const text = fc.string({ unit: 'grapheme' }).filter((each) => !each.includes('{{'));
  fc.assert(fc.property(text, (each) => print(each) === each));
});

it('prints any text and number that the document has', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.maxSafeInteger(), (s, n) => {
      expect(print('{{.s}}{{.n}}', { s, n })).toBe(`${s}${n}`);
    }),
  );
});

it('ranges over a map in the order of its keys', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.integer()), (map) => {
      const keys = Object.keys(map).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect(print('{{range $k, $v := .}}{{$v}},{{end}}', map)).toBe(
        keys.map((key) => `${map[key] ?? ''},`).join(''),
      );
    }),
  );
});

it('reads any template, or says in a line why not', () => {
  const piece = fc.oneof(
    fc.constantFrom('{{', '}}', '{{- ', ' -}}', '(', ')', '|', '.', '$x', ':=', ' ', '"', '`', ','),
    fc.constantFrom(
      'range',
      'if',
      'else',
      'end',
      'with',
      'define',
      'block',
      'template',
      '/*',
      '*/',
    ),
    fc.constantFrom('printf', 'index', 'eq', '.list', '.m', '1', "'a'", '"%v"', 'break', '\n'),
    fc.string({ maxLength: 3 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      try {
        print(pieces.join(' '));
      } catch (error) {
        expect(error).toBeInstanceOf(UsageError);
        expect((error as Error).message).toMatch(/template: output:\d+:|template: /);
      }
    }),
    { numRuns: 2000 },
  );
});

it('reads what it quotes', () => {
  const text = fc.string({ unit: 'grapheme' });
  fc.assert(fc.property(text, (each) => unquote(printf('%q', [each])) === each));
  fc.assert(fc.property(fc.maxSafeInteger(), (n) => numberOf(String(n))?.value === n));
});
