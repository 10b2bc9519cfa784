import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isNamedTest, ROOT } from './named-tests';

const pages = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'), { encoding: 'utf8', recursive: true })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

/** Targets of links within the project: `[text](target)`. */
const linksOf = (page: string): string[] =>
  [...readFileSync(join(ROOT, page), 'utf8').matchAll(/\]\(([^)#\s]+)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target));

it.each(pages)('%s links to what is there', (page) => {
  const broken = linksOf(page).filter((target) => !existsSync(join(ROOT, dirname(page), target)));
  expect(broken).toEqual([]);
});

it('names tests in docs/security/faults.md that there are', () => {
  const text = readFileSync(join(ROOT, 'docs', 'security', 'faults.md'), 'utf8');
  const named = [...text.matchAll(/`([^`]+\.test\.ts)`(?:: ([^|<]+))?/g)];
  expect(named.length).toBeGreaterThan(50);
  const missing = named.filter(([, file = '', title = '']) => !isNamedTest(file, title.trim()));
  expect(missing.map(([row]) => row)).toEqual([]);
});
