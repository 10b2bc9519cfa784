// What a change must pass before it is handed in: `npm run check`. Stops at the first step that fails.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const GENERATED = ['proto/gen', 'api/schema/generated'];

const run = (command) => {
  const { status, error } = spawnSync(command[0], command.slice(1), {
    cwd: root,
    stdio: 'inherit',
  });
  if (error !== undefined) console.error(`${command[0]}: ${error.message}`);
  return status === 0;
};

const npx = (...command) => run(['npx', '--no-install', ...command]);

/** Path and content of every generated file. */
const generatedFiles = () =>
  new Map(
    GENERATED.flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
        .map((path) => [path, readFileSync(path, 'utf8')]),
    ),
  );

/** Generates anew and compares; the new files stay, ready to be committed. */
const isGeneratedCurrent = () => {
  const before = generatedFiles();
  if (!run([process.execPath, 'scripts/generate.mjs'])) return false;
  const after = generatedFiles();
  const changed = [...new Set([...before.keys(), ...after.keys()])].filter(
    (path) => before.get(path) !== after.get(path),
  );
  for (const path of changed) console.error(`${path} was out of date and is written anew`);
  return changed.length === 0;
};

const STEPS = [
  [
    'format (repair with: npm run format)',
    () => npx('prettier', '--check', '--log-level', 'warn', '.'),
  ],
  ['protobuf style', () => npx('buf', 'lint')],
  ['generated files', isGeneratedCurrent],
  ['types', () => npx('tsc', '--noEmit')],
  ['lint', () => npx('eslint', '.', '--max-warnings', '0')],
  ['unused code', () => npx('knip')],
  ['unit tests', () => npx('jest', '--selectProjects', 'unit')],
];

for (const [name, passes] of STEPS) {
  console.log(`\n==> ${name}`);
  if (passes()) continue;
  console.error(`\ncheck: ${name} failed`);
  process.exit(1);
}
console.log('\nall checks passed');
