import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { clusterPaths } from '../../cli/cluster-paths';
import { isReady, shell, TestCluster } from './support/cluster';
import { leftBehind, sharedState } from './support/machine';

jest.setTimeout(300_000);

const ROOT = join(__dirname, '..', '..');
/** Not `lab`: that may be the reader's own. */
const NAME = 'e2e-readme';

/** The commands that a reader is told to type by hand, in their order. */
const linesByHand = (): string[] => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const block = readme.split('Or by hand')[1]?.split('```')[1] ?? '';
  return block
    .split('\n')
    .slice(1)
    .map((line) => line.replace(/ +#.*$/, '').trim())
    .map((line) =>
      line.replace(/ up /, ` up --name ${NAME} `).replace('--name lab', `--name ${NAME}`),
    )
    .filter((line) => line !== '');
};

let before: readonly string[];
let cluster: TestCluster;

beforeAll(() => {
  before = sharedState();
  cluster = TestCluster.of(NAME);
});

afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
  rmSync(join(ROOT, 'box.tar.gz'), { force: true });
});

it('works line by line as the README has it, and leaves nothing behind', async () => {
  const lines = linesByHand();
  expect(lines.length).toBeGreaterThan(7);
  for (const line of lines) {
    // A shell in a terminal reads what a person would type.
    const isTerminal = line.includes('exec -it');
    const command = isTerminal
      ? `printf 'exit\\n' | script --quiet --return --command '${line}' /dev/null`
      : line;
    const { kubeconfig } = clusterPaths(NAME);
    // Other clusters of the machine are not to be asked about.
    const environment = existsSync(kubeconfig) ? `export KUBECONFIG=${kubeconfig}; ` : '';
    const result = await shell(`${environment}cd '${ROOT}' && ${command}`, { timeoutMs: 120_000 });
    expect({ line, ...result }).toMatchObject({ line, code: 0 });
    if (line.includes('apply -f')) {
      await cluster.until('every pod', async () => {
        const pods = await cluster.pods('-A');
        return pods.length > 0 && pods.every((p) => isReady(p) || p.status.phase === 'Succeeded');
      });
    }
  }
  expect(leftBehind(NAME, before)).toEqual([]);
});

it('names only commands that there are', () => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const commands = new Set(
    [...readme.matchAll(/dhow ([a-z]+(?:-[a-z]+)*)/g)].map(([, word]) => word),
  );
  const help = execFileSync(join(ROOT, 'dhow'), ['--help'], { encoding: 'utf8' });
  for (const command of commands) {
    expect(help).toMatch(new RegExp(`^ {2}${command} `, 'm'));
  }
});
