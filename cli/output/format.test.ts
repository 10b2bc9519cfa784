import { Command } from 'commander';
import { formatViews, outputFormat } from './format';
import { outputWith, withTemplate } from './template-flag';

const VIEWS = {
  document: { b: [1], a: 'x' },
  names: ['pod/a', 'pod/b'],
  table: (isWide: boolean) => (isWide ? 'wide\n' : 'table\n'),
};

it.each([
  [undefined, 'table\n'],
  ['wide', 'wide\n'],
  ['name', 'pod/a\npod/b\n'],
  ['json', '{\n    "a": "x",\n    "b": [\n        1\n    ]\n}\n'],
  ['yaml', 'a: x\nb:\n- 1\n'],
  ['jsonpath={.a}{"\\n"}', 'x\n'],
  ['go-template={{.a}}{{"\\n"}}', 'x\n'],
  ['custom-columns=A:.a,B:.b[*],NONE:.c', 'A   B   NONE\nx   1   <none>\n'],
])('prints -o %s', (output, text) => {
  expect(formatViews(VIEWS, outputFormat(output))).toBe(text);
});

it('names the formats there are', () => {
  expect(() => outputFormat('xml')).toThrow(
    /"xml", allowed formats are: custom-columns,custom-columns-file,go-template,go-template-file,json,jsonpath,jsonpath-file,name,template,templatefile,wide,yaml/,
  );
});

it.each([
  ['jsonpath', 'template format specified but no template given'],
  ['custom-columns', 'custom-columns format specified but no custom columns given'],
  ['go-template=', 'template format specified but no template given'],
  ['go-template={{.a', 'error parsing template {{.a, template: output:1: unclosed action'],
  ['custom-columns=A', 'unexpected custom-columns spec: A, expected <header>:<json-path-expr>'],
])('says what -o %s lacks', (output, message) => {
  expect(() => outputFormat(output)).toThrow(message);
});

it('prints a row for each object of a list', () => {
  const items = [{ name: 'a' }, { name: 'b' }];
  const document = { apiVersion: 'v1', kind: 'List', items };
  const views = { document, names: [], table: () => '' };
  expect(formatViews(views, outputFormat('custom-columns=NAME:.name'))).toBe('NAME\na\nb\n');
});

it('prints JSON of the same meaning that drives no terminal', () => {
  const document = { text: 'a\u001b[2J\u009b2J\u007f\u202eb' };
  const text = formatViews({ ...VIEWS, document }, 'json');
  expect(text).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e]/);
  expect(JSON.parse(text)).toEqual(document);
});

it.each([
  [undefined, '{{.a}}', 'go-template={{.a}}'],
  ['go-template-file', 'x', 'go-template-file=x'],
  ['jsonpath', '{.a}', 'jsonpath={.a}'],
  ['json', '{{.a}}', 'json'],
  ['yaml', '', 'yaml'],
])('takes -o %s with --template %j for %s', (output, template, together) => {
  expect(outputWith(output, template)).toBe(together);
});

it('gives --template to what takes -o, and joins the two before it is called', async () => {
  const outputs: unknown[] = [];
  const program = new Command().exitOverride();
  withTemplate(program.command('get').option('-o, --output <format>', 'the format')).action(
    ({ output }: { output?: string }) => {
      outputs.push(output);
    },
  );
  await program.parseAsync(['get', '--template={{.a}}'], { from: 'user' });
  expect(outputs).toEqual(['go-template={{.a}}']);
});
