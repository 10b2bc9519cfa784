import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { clusterPaths } from '../../cli/cluster-paths';
import { runDhow, shell, TestCluster, type Result } from '../e2e/support/cluster';
import { leftBehind, sharedState } from '../e2e/support/machine';

jest.setTimeout(600_000);

const ROOT = join(__dirname, '..', '..');
/** Not the guide's own: that may be the reader's. */
const NAME = 'e2e-class';

interface Step {
  readonly command: string;
  /** Lines that it prints, in this order, perhaps with others between them. */
  readonly shown: readonly string[];
}

interface Section {
  readonly title: string;
  readonly steps: readonly Step[];
}

const stepsOf = (section: string): readonly Step[] => {
  const steps: { command: string; shown: string[] }[] = [];
  for (const [, block = ''] of section.matchAll(/```console\n([^]*?)```/g)) {
    for (const line of block.split('\n').filter((each) => each.trim() !== '')) {
      if (line.startsWith('$ ')) steps.push({ command: line.slice(2), shown: [] });
      else steps.at(-1)?.shown.push(line);
    }
  }
  return steps;
};

const sections: readonly Section[] = readFileSync(join(ROOT, 'docs/guides/lab.md'), 'utf8')
  .replace(/\bclass\b/g, NAME)
  .split(/^## /m)
  .slice(1)
  .map((text) => ({ title: text.split('\n')[0] ?? '', steps: stepsOf(text) }))
  .filter(({ steps }) => steps.length > 0);
const lessons = sections.slice(1, -1);

/** As a reader compares them: how wide columns are is not looked at, and `…` stands for anything. */
const shows = (output: string, shown: readonly string[]): boolean => {
  const lines = output.split('\n').map(squeeze);
  let at = 0;
  return shown.every((wanted) => {
    const pattern = new RegExp(`^${escape(squeeze(wanted)).replaceAll('…', '.*')}$`);
    const found = lines.findIndex((line, i) => i >= at && pattern.test(line));
    at = found + 1;
    return found >= 0;
  });
};
const squeeze = (line: string): string => line.trim().replace(/\s+/g, ' ');
const escape = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/**
 * What changes nothing may be asked until it says what a reader is to wait for; `up` starts what is missing, where
 * the first try took too long.
 */
const mayBeRepeated = (command: string): boolean =>
  /^dhow (up|get|why|describe|events|logs|decisions|top|lab status)\b/.test(command);

const run = (command: string): Promise<Result> => {
  const named = command
    .replace(/\bdhow lab ([a-z-]+)/g, `dhow lab $1 --name ${NAME}`)
    .replace(/(^|\$\()dhow /g, '$1./dhow ');
  const environment = `export KUBECONFIG=${clusterPaths(NAME).kubeconfig} HOME=/nonexistent; `;
  return shell(`${environment}cd '${ROOT}' && ${named}`, { timeoutMs: 180_000 });
};

let before: readonly string[];
let cluster: TestCluster;

const follow = async ({ steps }: Section): Promise<void> => {
  for (const { command, shown } of steps) {
    let last = await run(command);
    if (mayBeRepeated(command))
      await cluster.until(
        `${command}\n${shown.join('\n')}\n`,
        async () => {
          if (last.code === 0 && shows(last.stdout, shown)) return true;
          last = await run(command);
          return false;
        },
        240_000,
      );
    const { code, stdout, stderr } = last;
    const wasShown = shows(stdout, shown);
    const wrong = wasShown ? undefined : { stdout, shown };
    expect({ command, code, stderr: code === 0 ? '' : stderr, wrong }).toEqual({
      ...{ command, code: 0, stderr: '', wrong: undefined },
    });
  }
};

beforeAll(async () => {
  before = sharedState();
  cluster = TestCluster.of(NAME);
  await follow(sections[0]!);
});

afterEach(async () => {
  await runDhow('lab', 'heal', '--name', NAME);
});

afterAll(async () => {
  try {
    await follow(sections.at(-1)!);
    expect(leftBehind(NAME, before)).toEqual([]);
  } finally {
    await cluster[Symbol.asyncDispose]();
    rmSync(join(ROOT, 'box.tar.gz'), { force: true });
  }
});

it('has a lesson for each fault', () => {
  const commands = lessons.flatMap(({ steps }) => steps.map(({ command }) => command)).join('\n');
  for (const words of [
    'lab kill',
    'lab partition',
    'lab slow',
    'lab fill-disk',
    'drain',
    'rollout',
  ])
    expect(commands).toContain(`dhow ${words} `);
  // Each has something to look at, and an explanation.
  for (const { title, steps } of lessons) {
    expect({ title, asks: steps.some(({ command }) => command.startsWith('dhow why')) }).toEqual({
      ...{ title, asks: true },
    });
  }
});

it.each(lessons.map(({ title }, i) => [title, i] as const))('%s', async (_title, i) => {
  await follow(lessons[i]!);
});
