import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { deploymentYaml } from './support/cluster';
import { sharedCluster } from './support/shared-cluster';

/* What docs/scheduling.md says that commands print is what they print. */

jest.setTimeout(240_000);

const ROOT = join(__dirname, '..', '..');
const SLEEP = ['sleep', '1000000'];
const cluster = sharedCluster('e2e-asked', { nodes: 3 });

interface Block {
  readonly section: string;
  readonly command: string;
  readonly shown: string;
}

const page = readFileSync(join(ROOT, 'docs/scheduling.md'), 'utf8');
const blocks: readonly Block[] = page
  .split(/^## /m)
  .slice(1)
  .flatMap((text) =>
    [...text.matchAll(/```console\n([^]*?)```/g)].flatMap(([, block = '']) =>
      block
        .split(/^\$ /m)
        .slice(1)
        .map((each): Block => {
          const [command = '', ...lines] = each.split('\n');
          return { section: text.split('\n')[0] ?? '', command, shown: lines.join('\n') };
        }),
    ),
  );

/** What these print needs a cluster in another state: the tests that bring it about. */
const ELSEWHERE: readonly (readonly [RegExp, string])[] = [
  [/^dhow why podgroup\//, 'scheduler-profiles'],
  [/^dhow plan -f front\.yaml/, 'plan'],
  [/^dhow rebalance/, 'rebalance'],
  [/^dhow replay .*--config/, 'decisions'],
];

const played = blocks.filter(({ command }) => !ELSEWHERE.some(([those]) => those.test(command)));

let folder: string;
let pods: readonly string[];

const deployment = (name: string, replicas: number, cpu: string, spec: object) => {
  const resources = { requests: { cpu } };
  const containers = [{ name: 'main', image: 'dhow.local/busybox:1', command: SLEEP, resources }];
  const template = { metadata: { labels: { app: name } }, spec: { containers, ...spec } };
  return deploymentYaml(name, replicas, SLEEP, { template });
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dhow-asked-'));
  writeFileSync(join(folder, 'api.yaml'), deployment('api', 2, '100m', {}));
  await cluster.must('label', 'node', 'node-3', 'disk=ssd');
  await cluster.must('taint', 'node', 'node-3', 'maint=disk:NoSchedule');
  const matchExpressions = [
    { key: 'kubernetes.io/hostname', operator: 'In', values: ['node-2', 'node-3'] },
  ];
  const nodeAffinity = {
    preferredDuringSchedulingIgnoredDuringExecution: [
      { weight: 50, preference: { matchExpressions } },
    ],
  };
  await cluster.apply(deployment('web', 3, '50m', { affinity: { nodeAffinity } }));
  await cluster.must('rollout', 'status', 'deploy/web', '--timeout=90s');
  await cluster.apply(deployment('big', 1, '64', { nodeSelector: { disk: 'ssd' } }));
  await cluster.until('the pods', async () => (await cluster.pods()).length === 4);
  pods = (await cluster.pods()).map(({ metadata }) => metadata.name);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Of what is printed, what is the same whenever and wherever that is. */
const shapeOf = (text: string): string =>
  text
    .replace(/\b(web|big)-[0-9a-f]{8,10}(-[a-z0-9]{5})?\b/g, '$1')
    .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, 'TIME')
    .replace(/(?<!node-)(?<![a-z])\d+(\.\d+)?([A-Za-z]+|%)?/g, '0')
    .replace(/\s+/g, ' ')
    .trim();

const run = (command: string) => {
  const named = command
    .replace(/\bpod\/(web|big)-\S+/g, (_all, app: string) => {
      const found = pods.find((each) => each.startsWith(`${app}-`)) ?? '';
      return `pod/${found}`;
    })
    .replace(/\b[a-z]+\.(yaml|json\.gz)\b/g, (file) => join(folder, file));
  const [, ...args] = named.split(' ');
  return cluster.dhow(...args);
};

it('shows the answer to each question of the table', () => {
  const questions = [...page.matchAll(/\[`(dhow [^`]+)`\]\(#([a-z-]+)\)/g)];
  expect(questions.length).toBeGreaterThan(12);
  const anchors = new Set(
    blocks.map(({ section }) =>
      section
        .toLowerCase()
        .replace(/[^a-z -]/g, '')
        .replaceAll(' ', '-'),
    ),
  );
  expect(questions.filter(([, , anchor = '']) => !anchors.has(anchor))).toEqual([]);
  for (const [, file] of ELSEWHERE) readFileSync(join(__dirname, `${file}.test.ts`));
});

it.each(played.map((block) => [block.command, block] as const))('%s', async (_name, block) => {
  const wanted = shapeOf(block.shown).replaceAll(folder, '');
  let printed = '';
  const isShown = async () => {
    printed = (await run(block.command)).stdout.replaceAll(`${folder}/`, '');
    return shapeOf(printed).includes(wanted);
  };
  try {
    await cluster.until('what the page says', isShown, 20_000);
  } catch {
    expect(shapeOf(printed)).toBe(wanted);
  }
});
