import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fieldsSection } from './field-docs';
import { ROOT } from './named-tests';

const PAGE = join(ROOT, 'docs', 'compatibility.md');
const HEADING = '## Fields\n\n';

it('has in docs/compatibility.md what the API says of each field', () => {
  const page = readFileSync(PAGE, 'utf8');
  const [before = '', ...after] = page.split(HEADING);
  expect(after).toHaveLength(1);
  const wanted = `${before}${HEADING}${fieldsSection()}\n`;
  if (process.env['DHOW_WRITE_DOCS'] !== undefined) writeFileSync(PAGE, wanted);
  else expect(page).toBe(wanted);
});
