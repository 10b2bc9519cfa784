import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createMounter } from '../../node-agent/volumes/mounter';

const mounter = createMounter();
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-layers-'));
});
afterEach(async () => {
  mounter.unmountAll(directory);
  await rm(directory, { recursive: true, force: true });
});

const layer = (name: string, files: Readonly<Record<string, string>>): string => {
  const path = join(directory, name);
  mkdirSync(path);
  for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text);
  return path;
};
const target = (): string => {
  const path = join(directory, 'target');
  mkdirSync(path);
  return path;
};

it('merges layers, the topmost first, read-only and without anything to execute', () => {
  const bottom = layer('bottom', { both: 'old', gone: 'x', low: 'low' });
  const top = layer('top', { both: 'new', run: '#!/bin/sh\n' });
  execFileSync('mknod', [join(top, 'gone'), 'c', '0', '0']);
  chmodSync(join(top, 'run'), 0o755);
  const path = target();
  mounter.mountLayers(path, [top, bottom]);
  mounter.mountLayers(path, [top, bottom]);
  expect(mounter.isMounted(path)).toBe(true);
  expect(readdirSync(path).sort()).toEqual(['both', 'low', 'run']);
  expect(readFileSync(join(path, 'both'), 'utf8')).toBe('new');
  expect(() => writeFileSync(join(path, 'more'), '')).toThrow('EROFS');
  expect(() => execFileSync(join(path, 'run'))).toThrow('EACCES');
  mounter.unmountAll(path);
  expect(readdirSync(path)).toEqual([]);
});

it.each([0, 1, 60])('shows an image of %d layers', (count) => {
  const layers = Array.from({ length: count }, (_, i) =>
    layer(`${'layer-with-a-long-name-'.repeat(4)}${i}`, { [`file${i}`]: 'x' }),
  );
  const path = target();
  mounter.mountLayers(path, layers);
  expect(readdirSync(path)).toHaveLength(count);
  expect(() => writeFileSync(join(path, 'more'), '')).toThrow('EROFS');
});
