import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { podYaml, TestCluster } from './support/cluster';

const ROOT = join(__dirname, '..', '..');

/** The files of a package alone; test/package packs and installs them. */
describe('the files of a package', () => {
  let directory = '';

  beforeAll(() => {
    // Not below the checkout, where Node would find libraries that a package lacks.
    directory = mkdtempSync(join(tmpdir(), 'dhow-package-'));
    for (const [name, umask] of Object.entries({ first: '022', second: '077' })) {
      const script = `umask ${umask}; exec "$@"`;
      const words = [process.execPath, 'scripts/package.mjs', '--tree', join(directory, name)];
      execFileSync('sh', ['-c', script, 'sh', ...words], { cwd: ROOT });
    }
  });

  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  it('are the same when they are built again, elsewhere and under another umask', () => {
    const first = filesOf(join(directory, 'first'));
    expect([...first.keys()]).toEqual(expect.arrayContaining(['bin/dhow', 'lib/dhow/node']));
    expect(filesOf(join(directory, 'second'))).toEqual(first);
  });

  it('say nothing of where they were built', () => {
    for (const path of filesOf(join(directory, 'first')).keys()) {
      const file = join(directory, 'first', path);
      if (!lstatSync(file).isFile()) continue;
      const text = readFileSync(file, 'latin1');
      expect([path, text.includes(ROOT), text.includes(directory)]).toEqual([path, false, false]);
    }
  });

  it('hold the terms of all that is inside', () => {
    const text = readFileSync(join(directory, 'first/share/doc/dhow/copyright'), 'utf8');
    expect(text).toMatch(/^==== Dhow$[^]*^==== Node\.js$[^]*^==== musl$[^]*^==== koffi$/m);
  });

  it('run a cluster by the Node among them, and nothing beside them', async () => {
    const program = join(directory, 'first/bin/dhow');
    await using cluster = await TestCluster.start('packaged', { nodes: 1, program });
    const exe = join(directory, 'first/lib/dhow/node');
    for (const process of ['server', 'node-1'])
      expect(readlinkSync(`/proc/${cluster.pid(process)}/exe`)).toBe(exe);
    await cluster.apply(podYaml('greeter', ['sh', '-c', 'echo hello; sleep 1000']));
    await cluster.podIsReady('greeter');
    expect(await cluster.must('logs', 'greeter')).toBe('hello\n');
    expect(await cluster.must('exec', 'greeter', '--', 'hostname')).toBe('greeter\n');
  });
});

/** Path to mode and content. */
const filesOf = (root: string, path = ''): ReadonlyMap<string, string> =>
  new Map(
    readdirSync(join(root, path), { withFileTypes: true }).flatMap((entry): [string, string][] => {
      const each = join(path, entry.name);
      const file = join(root, each);
      if (entry.isDirectory()) return [...filesOf(root, each)];
      const content = entry.isFile() ? sumOf(file) : readlinkSync(file);
      return [[each, `${lstatSync(file).mode.toString(8)} ${content}`]];
    }),
  );

const sumOf = (file: string): string =>
  createHash('sha256').update(readFileSync(file)).digest('hex');
