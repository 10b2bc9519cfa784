// What the product consists of when it runs: bundles of the commands with what they read, and the launcher.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..');
export const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

// One bundle per program, so that a command loads only what it needs; workers are files of their own.
const PROGRAMS = {
  dhow: 'cli/dhow.ts',
  commands: 'cli/commands.ts',
  server: 'cli/server.ts',
  agent: 'cli/agent.ts',
  cluster: 'cli/cluster.ts',
  machine: 'cli/machine.ts',
  upkeep: 'cli/upkeep.ts',
  'bundle-replay': 'cli/bundle-replay.ts',
  'unpack-worker': 'runtime/rootfs/unpack-worker.ts',
  'meter-worker': 'node-agent/storage/meter-worker.ts',
  'dns-resolver': 'node-agent/dns/resolver-process.ts',
  'ingress-proxy': 'node-agent/ingress/ingress-process.ts',
  'write-code-cache': 'cli/write-code-cache.ts',
  'open-telemetry': 'lib/tracing/open-telemetry.ts',
};

// Node reads a bundle whole before it runs: what is large and seldom used is a file of its own.
const APART = ['zod', 'yaml', 'ws', 'pino'];

const libraries = {
  name: 'libraries',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: new RegExp(`^(${APART.join('|')})$`) }, ({ kind, path }) =>
      kind === 'entry-point' ? undefined : { path: `./${path}.js`, external: true },
    );
    // Loaded only where something is traced.
    onResolve({ filter: /\/open-telemetry\.js$/ }, ({ kind }) =>
      kind === 'dynamic-import' ? { path: './open-telemetry.js', external: true } : undefined,
    );
    // Commander can start programs as subcommands; ours are functions, and the module is slow to load.
    onResolve({ filter: /^node:child_process$/ }, ({ importer }) =>
      importer.includes('/commander/') ? { path: 'child_process', namespace: 'absent' } : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'absent' }, () => ({ contents: '' }));
  },
};

/**
 * Writes the bundles into a folder, with the code that `node` compiles of them, and the launcher. What is
 * written depends on the sources and `node` alone. Resolves with esbuild's account of what went in.
 */
export const bundleInto = async (folder, { node = process.execPath, sourcemap }) => {
  mkdirSync(folder, { recursive: true });
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: { ...PROGRAMS, ...Object.fromEntries(APART.map((name) => [name, name])) },
    plugins: [libraries],
    loader: { '.json': 'copy' },
    outdir: folder,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    // Bundles run as scripts with compiled code, which may only require.
    supported: { 'dynamic-import': false },
    minifySyntax: true,
    // A command reads its whole bundle before it starts.
    minifyWhitespace: true,
    sourcemap,
    metafile: true,
    logLevel: 'warning',
    // Native code stays where npm put it.
    external: ['koffi'],
    define: { 'process.env.DHOW_VERSION': JSON.stringify(version) },
  });
  requireLight(metafile);
  execFileSync(node, [...SEEDS, join(folder, 'write-code-cache.js')], { stdio: 'inherit' });
  execFileSync('make', ['-s', '-C', join(root, 'runtime/launcher'), `OUT=${folder}`], {
    stdio: 'inherit',
  });
  return metafile;
};

/** `get` waits until all of its bundle is read: what only some commands need is for another. */
const requireLight = ({ outputs }) => {
  const [, { bytes, inputs }] = Object.entries(outputs).find(([path]) =>
    path.endsWith('/commands.js'),
  );
  if (bytes <= COMMANDS_BYTES_MAX) return;
  const largest = Object.entries(inputs)
    .sort(([, a], [, b]) => b.bytesInOutput - a.bytesInOutput)
    .slice(0, 10)
    .map(([path, { bytesInOutput }]) => `  ${path} ${bytesInOutput}`);
  throw new Error(
    `commands.js has ${bytes} bytes and may have ${COMMANDS_BYTES_MAX}; most of it:\n${largest.join('\n')}`,
  );
};

const COMMANDS_BYTES_MAX = 850_000;

/** V8 lays its tables out by chance, unless told by which; see `write-code-cache`. */
const SEEDS = ['--hash-seed=1', '--random-seed=1'];
