// Runs the static checks and every jest project, whatever became of the ones before, and ends with
// `N passed, N failed`. Arguments name projects: node scripts/test.mjs unit e2e
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const MINUTE_MS = 60_000;
/** A step that hangs is ended and counts as a failure. */
const STATIC_STEPS = [
  { name: 'typecheck', command: ['npx', 'tsc', '--noEmit'], timeoutMs: 10 * MINUTE_MS },
  {
    name: 'lint',
    command: ['npx', 'eslint', '.', '--max-warnings', '0'],
    timeoutMs: 15 * MINUTE_MS,
  },
];
/**
 * Those that own parts of the machine run their files one by one; they wait more than they compute, so
 * that they run side by side at the end, each with a network and folders of its own. The last is the longest
 * by far: each half of its files is by itself.
 */
const IN_BAND = ['--runInBand', '--forceExit'];
const halfOfE2e = (part) => ({
  ...{ name: 'e2e', part, isApart: true, timeoutMs: 65 * MINUTE_MS },
  args: [...IN_BAND, `--shard=${part}/2`],
});
const PHASES = [
  [{ name: 'unit', args: ['--maxWorkers=2'], timeoutMs: 20 * MINUTE_MS }],
  [{ name: 'simulation', args: ['--maxWorkers=2'], timeoutMs: 30 * MINUTE_MS }],
  [{ name: 'integration', args: IN_BAND, timeoutMs: 65 * MINUTE_MS }, halfOfE2e(1), halfOfE2e(2)],
];
/** Folders that programs of the machine share, which a project apart has for itself. */
const OWN_FOLDERS = ['/tmp', '/run', '/var/lib/dhow'];

const children = new Set();

/** Exit code of a command in a process group of its own, so that a hang leaves nothing behind. */
const run = ({ name, command, timeoutMs, stderr = 'inherit' }) =>
  new Promise((resolve) => {
    console.log(`\n==> ${name}`);
    const child = spawn(command[0], command.slice(1), {
      detached: true,
      stdio: ['ignore', 'inherit', stderr],
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

/** What is printed by a project apart is held back until its end: two at once could not be read. */
const runProject = async ({ name, part = '', args, timeoutMs, isApart = false }, directory) => {
  const title = `${name}${part}`;
  const outputFile = join(directory, `${title}.json`);
  const jest = [
    ...['npx', 'jest', '--selectProjects', name, '--passWithNoTests'],
    ...['--json', '--outputFile', outputFile, ...args],
  ];
  const log = join(directory, `${title}.log`);
  const stderr = isApart ? openSync(log, 'w') : 'inherit';
  // The report goes to stderr and to the file; `--json` would print it a third time.
  const quiet = ['sh', '-c', 'exec "$@" >/dev/null', 'sh', ...jest];
  const command = isApart ? apart(quiet, join(directory, title)) : quiet;
  const code = await run({ name: `${title} tests`, command, timeoutMs, stderr });
  if (isApart) {
    closeSync(stderr);
    console.log(`\n==> ${title} tests ended\n${readFileSync(log, 'utf8')}`);
  }
  return { name: title, ...countsOf(outputFile, code) };
};

/** The command in a network and with processes, mounts and shared folders of its own, which end with it. */
const apart = (command, room) => {
  const mounts = OWN_FOLDERS.map((folder) => {
    const own = join(room, folder);
    mkdirSync(own, { recursive: true });
    return `mkdir -p ${folder} && mount --bind ${own} ${folder}`;
  });
  // The shell stays, since the first process of a room has to reap those whose parents are gone.
  const script = `set -e; ${['ip link set lo up', ...mounts].join('; ')}; set +e; "$@"; exit $?`;
  return [
    ...['unshare', '--net', '--mount', '--pid', '--ipc', '--uts', '--fork', '--mount-proc'],
    ...['--kill-child=KILL', '--propagation', 'private', 'sh', '-c', script, 'sh', ...command],
  ];
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
  // Not below /tmp, which a project apart does not see.
  const directory = mkdtempSync('/var/tmp/dhow-test-');
  const results = [];
  try {
    // Each of them has use for one core.
    results.push(...(await Promise.all(STATIC_STEPS.filter(isWanted).map(runStatic))));
    for (const phase of PHASES) {
      const running = phase.filter(isWanted).map((project) => runProject(project, directory));
      results.push(...(await Promise.all(running)));
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
