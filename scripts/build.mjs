// Bundles the commands into dist/ and compiles the launcher. Quick, and safe to run again.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

// One bundle per program, so that a command loads only what it needs; workers are files of their own.
const entryPoints = {
  dhow: 'cli/dhow.ts',
  commands: 'cli/commands.ts',
  server: 'cli/server.ts',
  agent: 'cli/agent.ts',
  cluster: 'cli/cluster.ts',
  'unpack-worker': 'runtime/rootfs/unpack-worker.ts',
  'network-worker': 'runtime/network/worker.ts',
};

const present = Object.fromEntries(
  Object.entries(entryPoints).filter(([, path]) => existsSync(join(root, path))),
);

// Node compiles a bundle whole before it runs: what is large and seldom used is a file of its own.
const zodApart = {
  name: 'zod-apart',
  setup({ onResolve }) {
    onResolve({ filter: /^zod$/ }, ({ kind }) =>
      kind === 'entry-point' ? undefined : { path: './zod.js', external: true },
    );
  },
};

mkdirSync(join(root, 'dist'), { recursive: true });
await build({
  absWorkingDir: root,
  entryPoints: { ...present, zod: 'zod' },
  plugins: [zodApart],
  loader: { '.json': 'copy' },
  outdir: 'dist',
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  minifySyntax: true,
  // A command reads and compiles its whole bundle before it starts.
  minifyWhitespace: true,
  sourcemap: 'linked',
  logLevel: 'warning',
  // Native code stays where npm put it.
  external: ['koffi'],
  define: { 'process.env.DHOW_VERSION': JSON.stringify(version) },
});

if (existsSync(join(root, 'runtime/launcher/Makefile'))) {
  execFileSync('make', ['-s', '-C', 'runtime/launcher'], { cwd: root, stdio: 'inherit' });
}
