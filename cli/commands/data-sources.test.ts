import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readEntries } from './data-sources';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dhow-sources-'));
  writeFileSync(join(folder, 'a.txt'), 'hello\n');
  writeFileSync(join(folder, 'app.env'), '# of the app\nA=1\n\nB=two=2\n');
});

afterEach(() => rmSync(folder, { recursive: true }));

const texts = (...sources: Parameters<typeof readEntries>) =>
  Object.fromEntries([...readEntries(...sources)].map(([key, value]) => [key, value.toString()]));

it('takes entries from literals, files, folders and files of variables', () => {
  expect(texts({ fromLiteral: ['a=b,c=d'] })).toEqual({ a: 'b,c=d' });
  expect(texts({ fromFile: [join(folder, 'a.txt')] })).toEqual({ 'a.txt': 'hello\n' });
  expect(texts({ fromFile: [`x=${join(folder, 'a.txt')}`] })).toEqual({ x: 'hello\n' });
  expect(Object.keys(texts({ fromFile: [folder] }))).toEqual(['a.txt', 'app.env']);
  expect(texts({ fromEnvFile: [join(folder, 'app.env')] })).toEqual({ A: '1', B: 'two=2' });
});

it.each([
  [{ fromLiteral: ['a'] }, 'invalid literal source a, expected key=value'],
  [{ fromLiteral: ['a=1', 'a=2'] }, 'cannot add key "a", another key by that name already exists'],
  [{ fromFile: ['/nowhere'] }, 'error reading /nowhere'],
  [{ fromFile: ['zero=/dev/zero'] }, '/dev/zero is larger than'],
])('refuses %j', (sources, message) => {
  expect(() => readEntries(sources)).toThrow(message);
});
