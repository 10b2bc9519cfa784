// Runs tests as plain programs on a kernel that has what they need, WireGuard or NFS:
//   DHOW_VM='run-vm.sh -m 1500 -C / --' npm run test:vm [-- [--suite=network-encryption|nfs-volumes] [PATTERN]]
// DHOW_VM begins a command that runs the rest of its line in a virtual machine with this machine's files;
// without it the kernel here has to have it. That of NFS needs Debian's nfs-kernel-server there, and root.
import { build } from 'esbuild';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SUITES = {
  'network-encryption': '../integration/network-encryption.test.ts',
  'nfs-volumes': 'nfs-volumes.ts',
};
const given = process.argv.slice(2);
const chosen = given.find((arg) => arg.startsWith('--suite='))?.slice('--suite='.length);
const suite = SUITES[chosen ?? 'network-encryption'];
if (suite === undefined)
  throw new Error(`no such suite; there are ${Object.keys(SUITES).join(', ')}`);

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../..');
// Not in /tmp, of which a virtual machine has its own.
const folder = mkdtempSync(join(root, 'dist/vm-'));
const program = join(folder, 'node.js');

const common = { bundle: true, platform: 'node', target: 'node20', logLevel: 'error' };
const external = ['koffi', 'pino'];

/** The machine is slow: what the tests would build there is built here. */
const prepared = {
  name: 'prepared',
  setup(plugin) {
    plugin.onResolve({ filter: /^esbuild$/ }, () => ({ path: 'esbuild', namespace: 'prepared' }));
    plugin.onLoad({ filter: /.*/, namespace: 'prepared' }, () => ({
      contents: `const { copyFileSync } = require('node:fs');
        exports.buildSync = ({ outfile }) => copyFileSync(${JSON.stringify(program)}, outfile);`,
    }));
    plugin.onLoad({ filter: /\.ts$/ }, async ({ path }) => ({
      loader: 'ts',
      contents: (await readFile(path, 'utf8')).replaceAll(
        '__dirname',
        JSON.stringify(dirname(path)),
      ),
    }));
  },
};

try {
  const tests = join(root, 'test/integration');
  await build({
    ...{ ...common, external, outfile: program },
    entryPoints: [join(tests, 'network/node.ts')],
  });
  await build({
    ...{ ...common, external, plugins: [prepared], inject: [join(here, 'suite.ts')] },
    outfile: join(folder, 'suite.js'),
    entryPoints: [join(here, suite)],
  });
  const [command, ...args] = [
    ...(process.env.DHOW_VM ?? '').split(' ').filter((word) => word !== ''),
    ...['env', `NODE_PATH=${join(root, 'node_modules')}`, process.execPath],
    ...[join(folder, 'suite.js'), ...given.filter((arg) => !arg.startsWith('--suite='))],
  ];
  const { status, error } = spawnSync(command, args, { stdio: 'inherit' });
  if (error !== undefined) console.error(`${command}: ${error.message}`);
  process.exitCode = status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
