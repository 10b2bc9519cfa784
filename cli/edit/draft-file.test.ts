import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { DraftFile } from './draft-file';

it('is for its owner only, and goes unless it is kept', () => {
  let path = '';
  {
    using file = new DraftFile('../pod-web.yaml');
    file.show('a: 1\n');
    ({ path } = file);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
    expect(file.isTouched).toBe(false);
    writeFileSync(path, 'a: 2\n');
    expect(file.isTouched).toBe(true);
  }
  expect(existsSync(dirname(path))).toBe(false);
  {
    using file = new DraftFile('x');
    file.show('kept');
    ({ path } = file);
    expect(file.keep()).toContain(path);
  }
  expect(existsSync(path)).toBe(true);
  rmSync(dirname(path), { recursive: true });
});
