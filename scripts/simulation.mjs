// Plays the simulated control plane under many seeds: npm run test:simulation -- --seeds 1000
//   [--from 1] [--minutes M] [FILE ...]   (default: every simulation that takes seeds)
// Batch by batch and file by file, so that memory stays bounded, each with a line of what came of it; a failing
// seed is told then, and the rest goes on. When the minutes are over, what is being played is given up.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const FOLDER = 'test/simulation';
const BATCH = 10;
const JEST = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
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

/** Only tests that name their seed are run. `undefined`: time was up first. */
const play = async (file, from, count, signal) => {
  const options = ['--selectProjects', 'simulation', '--runInBand', '--silent', '--json'];
  const selection = ['--outputFile', resultsPath, '-t', '\\bseed \\d', file];
  rmSync(resultsPath, { force: true });
  // Not through npx: what is given up is to end at once.
  const jest = spawn(process.execPath, [JEST, ...options, ...selection], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, SIMULATION_SEEDS: String(count), SIMULATION_FROM: String(from) },
    ...{ signal, killSignal: 'SIGKILL' },
  });
  let said = '';
  jest.stderr.on('data', (chunk) => (said = `${said}${chunk}`.slice(-20_000)));
  const ended = once(jest, 'close');
  try {
    await ended;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  if (signal.aborted) return undefined;
  try {
    return JSON.parse(readFileSync(resultsPath, 'utf8'));
  } catch {
    throw new Error(`nothing came of ${file}, seeds from ${from} on:\n${said}`);
  }
};

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
  const timeUp = new AbortController();
  const timer = setTimeout(() => timeUp.abort(), Math.min(minutes * 60_000, TIMER_MAX_MS));
  const end = first + seedCount;
  let passedCount = 0;
  let failedCount = 0;
  let next = first;
  for (; next < end && !timeUp.signal.aborted;) {
    const count = Math.min(BATCH, end - next);
    for (const file of files) {
      const results = await play(file, next, count, timeUp.signal);
      if (results === undefined) break;
      const failures = failuresOf(results);
      failures.forEach(tell);
      passedCount += results.numPassedTests;
      failedCount += failures.length;
      const seconds = Math.round((performance.now() - startMs) / 1000);
      const name = file.slice(FOLDER.length + 1, -'.test.ts'.length);
      console.log(
        `seeds ${next}-${next + count - 1} ${name}: ${passedCount} passed, ${failedCount} failed, ${seconds} s`,
      );
    }
    if (!timeUp.signal.aborted) next += count;
  }
  clearTimeout(timer);
  if (next < end) console.log(`time is up; go on with: --from ${next} --seeds ${end - next}`);
  return failedCount === 0 && passedCount > 0 ? 0 : 1;
};

/** As long as a timer can be: 24 days. */
const TIMER_MAX_MS = 2 ** 31 - 1;

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`simulation: ${error.message}`);
  process.exitCode = 2;
} finally {
  rmSync(resultsPath, { force: true });
}
