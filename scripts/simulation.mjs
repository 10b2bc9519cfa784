// Plays the simulated control plane under many seeds: npm run test:simulation -- --seeds 1000
//   [--from 1] [--minutes M] [FILE ...]   (default: every simulation that takes seeds)
// Batch by batch, so that memory stays bounded; a failing seed is told at once and the rest goes on.
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const FOLDER = 'test/simulation';
const BATCH = 20;
const resultsPath = join(tmpdir(), `dhow-simulation-${process.pid}.json`);

const seededFiles = () =>
  readdirSync(join(root, FOLDER), { recursive: true })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join(FOLDER, name))
    .filter((path) => readFileSync(join(root, path), 'utf8').includes('seedsOf('))
    .sort();

const numberOf = (name, text) => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new Error(`--${name}: not a whole number from 1`);
  return value;
};

const optionsOf = (args) => {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      seeds: { type: 'string', default: '1000' },
      from: { type: 'string', default: '1' },
      minutes: { type: 'string' },
    },
  });
  const known = seededFiles();
  const unknown = positionals.find((path) => !known.includes(path));
  if (unknown !== undefined)
    throw new Error(`${unknown} takes no seeds; these do: ${known.join(' ')}`);
  return {
    seedCount: numberOf('seeds', values.seeds),
    first: numberOf('from', values.from),
    minutes: values.minutes === undefined ? Infinity : numberOf('minutes', values.minutes),
    files: positionals.length === 0 ? known : positionals,
  };
};

/** Only tests that name their seed are run. */
const play = (files, from, count) =>
  new Promise((resolve, reject) => {
    const options = ['--selectProjects', 'simulation', '--runInBand', '--silent', '--json'];
    const jest = spawn(
      'npx',
      [
        '--no-install',
        'jest',
        ...options,
        '--outputFile',
        resultsPath,
        '-t',
        '\\bseed \\d',
        ...files,
      ],
      {
        cwd: root,
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { ...process.env, SIMULATION_SEEDS: String(count), SIMULATION_FROM: String(from) },
      },
    );
    let said = '';
    jest.stderr.on('data', (chunk) => (said = `${said}${chunk}`.slice(-20_000)));
    jest.once('error', reject);
    jest.once('close', () => {
      try {
        resolve(JSON.parse(readFileSync(resultsPath, 'utf8')));
      } catch {
        reject(new Error(`nothing came of seeds from ${from} on:\n${said}`));
      }
    });
  });

const failuresOf = ({ testResults }) =>
  testResults.flatMap(({ name, assertionResults, message }) => {
    const path = name.slice(root.length + 1);
    const failed = assertionResults.filter(({ status }) => status === 'failed');
    if (failed.length === 0 && assertionResults.length === 0 && message)
      return [{ path, title: message }];
    return failed.map(({ fullName: title, failureMessages }) => ({
      ...{ path, title, why: failureMessages.join('\n') },
      seed: /\bseed (\d+)/.exec(title)?.[1],
    }));
  });

const tell = ({ path, title, seed, why = '' }) => {
  console.error(`FAILED ${path}: ${title}\n${why}`);
  if (seed !== undefined)
    console.error(
      `again: SIMULATION_SEED=${seed} npx jest --selectProjects simulation --runInBand ${path}`,
    );
};

const main = async () => {
  const { seedCount, first, minutes, files } = optionsOf(process.argv.slice(2));
  const startMs = performance.now();
  const end = first + seedCount;
  let passedCount = 0;
  let failedCount = 0;
  let next = first;
  for (; next < end && performance.now() - startMs < minutes * 60_000;) {
    const count = Math.min(BATCH, end - next);
    const results = await play(files, next, count);
    const failures = failuresOf(results);
    failures.forEach(tell);
    passedCount += results.numPassedTests;
    failedCount += failures.length;
    const seconds = Math.round((performance.now() - startMs) / 1000);
    next += count;
    console.log(
      `seeds ${first}-${next - 1}: ${passedCount} passed, ${failedCount} failed, ${seconds} s`,
    );
  }
  if (next < end) console.log(`time is up; go on with: --from ${next} --seeds ${end - next}`);
  return failedCount === 0 && passedCount > 0 ? 0 : 1;
};

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`simulation: ${error.message}`);
  process.exitCode = 2;
} finally {
  rmSync(resultsPath, { force: true });
}
