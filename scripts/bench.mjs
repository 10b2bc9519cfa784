// Measures Dhow against its peers: npm run bench [-- NAME ...] [-- --json]
// Each bench/NAME.ts exports `bench()`. Most need root and the peer's Debian package.
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);

const args = process.argv.slice(2).filter((arg) => arg !== '--');
const isJson = args.includes('--json');
const wanted = args.filter((arg) => !arg.startsWith('-'));
const known = readdirSync(join(root, 'bench'))
  .filter((file) => file.endsWith('.ts') && file !== 'result.ts')
  .map((file) => file.slice(0, -'.ts'.length));

const usageProblem = () => {
  const option = args.find((arg) => arg.startsWith('-') && arg !== '--json');
  if (option !== undefined) return `unknown option ${option}`;
  const name = wanted.find((each) => !known.includes(each));
  return name === undefined ? undefined : `no bench "${name}"; there are: ${known.join(', ')}`;
};

/** Bundles the benches; native code and what they bundle with stay where npm put them. */
const bundle = async (names, outdir) => {
  await build({
    absWorkingDir: root,
    entryPoints: {
      ...Object.fromEntries(names.map((name) => [name, `bench/${name}.ts`])),
      'unpack-worker': 'runtime/rootfs/unpack-worker.ts',
    },
    outdir,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    logLevel: 'warning',
    external: ['koffi', 'esbuild', '@swc/core'],
  });
};

const digits = (value) => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3));

const table = (results) => {
  const rows = [
    ['BENCH', 'METRIC', 'OURS', 'PEER', 'PEER VALUE', 'UNIT', 'RATIO'],
    ...results.map(({ bench, metric, ours, peer, peerValue, unit, ratio }) => [
      ...[bench, metric, digits(ours), peer, digits(peerValue), unit, `${digits(ratio)}x`],
    ]),
  ];
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] + 3))
        .join('')
        .trimEnd(),
    )
    .join('\n');
};

const main = async () => {
  const problem = usageProblem();
  if (problem !== undefined) {
    console.error(`bench: ${problem}`);
    return 1;
  }
  const names = wanted.length === 0 ? known : wanted;
  // As deep below the root as bench/ is: benches name the project's files relative to themselves.
  const outdir = join(root, 'build');
  const results = [];
  let failedCount = 0;
  await bundle(names, outdir);
  for (const name of names) {
    if (!isJson) console.error(`${name} ...`);
    try {
      const measured = await require(join(outdir, `${name}.js`)).bench();
      results.push(...measured);
      if (isJson) for (const each of measured) console.log(JSON.stringify(each));
    } catch (error) {
      failedCount += 1;
      console.error(`bench ${name} failed: ${error.stack ?? error}`);
    }
  }
  if (!isJson && results.length > 0) console.log(table(results));
  return failedCount === 0 ? 0 : 1;
};

// The benches run from the project's root; what they leave open must not keep the command waiting.
process.chdir(root);
process.exit(await main());
