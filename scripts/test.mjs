// Runs the static checks and every jest project, one after the other, whatever became of the one
// before, and ends with `N passed, N failed`. Arguments name projects: node scripts/test.mjs unit e2e
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MINUTE_MS = 60_000;
/** A step that hangs is ended and counts as a failure. */
const STATIC_STEPS = [
  { name: 'typecheck', command: ['npx', 'tsc', '--noEmit'], timeoutMs: 10 * MINUTE_MS },
  {
    name: 'lint',
    command: ['npx', 'eslint', '.', '--max-warnings', '0'],
    timeoutMs: 10 * MINUTE_MS,
  },
];
/** Those that own parts of the machine run their files one by one. */
const PROJECTS = [
  { name: 'unit', args: ['--maxWorkers=2'], timeoutMs: 15 * MINUTE_MS },
  { name: 'integration', args: ['--runInBand', '--forceExit'], timeoutMs: 30 * MINUTE_MS },
  { name: 'simulation', args: ['--maxWorkers=2'], timeoutMs: 15 * MINUTE_MS },
  { name: 'e2e', args: ['--runInBand', '--forceExit'], timeoutMs: 45 * MINUTE_MS },
];

const children = new Set();

/** Exit code of a command in a process group of its own, so that a hang leaves nothing behind. */
const run = ({ name, command, timeoutMs }) =>
  new Promise((resolve) => {
    console.log(`\n==> ${name}`);
    const child = spawn(command[0], command.slice(1), {
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    children.add(child);
    const timer = setTimeout(() => {
      console.log(`${name} did not end within ${timeoutMs / MINUTE_MS} minutes`);
      endGroup(child);
    }, timeoutMs);
    const settle = (code) => {
      clearTimeout(timer);
      children.delete(child);
      resolve(code);
    };
    child.once('error', (error) => {
      console.log(`${name}: ${error.message}`);
      settle(1);
    });
    child.once('exit', (code, signal) => settle(code ?? signal));
  });

const endGroup = (child) => {
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It ended by itself meanwhile.
  }
};

const runStatic = async (step) => {
  const failed = (await run(step)) === 0 ? 0 : 1;
  return { name: step.name, passed: 0, failed, skipped: 0, note: failed ? 'failed' : 'clean' };
};

const runProject = async ({ name, args, timeoutMs }, directory) => {
  const outputFile = join(directory, `${name}.json`);
  const command = [
    ...['npx', 'jest', '--selectProjects', name, '--passWithNoTests'],
    ...['--json', '--outputFile', outputFile, ...args],
  ];
  // The report goes to stderr and to the file; `--json` would print it a third time.
  const code = await run({
    name: `${name} tests`,
    command: ['sh', '-c', 'exec "$@" >/dev/null', 'sh', ...command],
    timeoutMs,
  });
  return { name, ...countsOf(outputFile, code) };
};

const countsOf = (outputFile, code) => {
  const report = readReport(outputFile);
  if (report === undefined) {
    return { passed: 0, failed: 1, skipped: 0, note: `jest ended with ${code} and no report` };
  }
  const failed = report.numFailedTests + report.numRuntimeErrorTestSuites;
  const note = code !== 0 && failed === 0 ? `jest ended with ${code}` : '';
  return {
    passed: report.numPassedTests,
    failed: note === '' ? failed : 1,
    skipped: report.numPendingTests + report.numTodoTests,
    note,
  };
};

const readReport = (file) => {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
};

const summarize = (results) => {
  console.log('\n==> summary');
  for (const { name, passed, failed, skipped, note } of results) {
    console.log(
      `${name.padEnd(12)} ${note === 'clean' ? 'clean' : `${passed} passed, ${failed} failed, ${skipped} skipped`}` +
        (note === '' || note === 'clean' ? '' : ` (${note})`),
    );
  }
  const total = (field) => results.reduce((sum, result) => sum + result[field], 0);
  const skipped = total('skipped');
  console.log(
    `${total('passed')} passed, ${total('failed')} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`,
  );
  return total('failed') === 0;
};

const main = async () => {
  const wanted = process.argv.slice(2);
  const isWanted = ({ name }) => wanted.length === 0 || wanted.includes(name);
  const directory = mkdtempSync(join(tmpdir(), 'dhow-test-'));
  const results = [];
  try {
    for (const step of STATIC_STEPS.filter(isWanted)) results.push(await runStatic(step));
    for (const project of PROJECTS.filter(isWanted)) {
      results.push(await runProject(project, directory));
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  process.exitCode = summarize(results) ? 0 : 1;
};

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => {
    for (const child of children) endGroup(child);
    process.exit(1);
  });
}
await main();
