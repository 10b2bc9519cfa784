import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Node } from '../../api/types';
import {
  allPages,
  freePages,
  hasHugePages,
  PAGE_BYTES,
  reserveHugePages,
} from '../support/huge-pages';
import { podYaml } from './support/cluster';
import { sharedCluster } from './support/shared-cluster';

jest.setTimeout(240_000);

const PAGES = 8;

(hasHugePages ? describe : describe.skip)('huge pages', () => {
  let release: () => void;
  // Before the cluster: its nodes see them from the first.
  beforeAll(() => {
    release = reserveHugePages(PAGES);
  });
  const cluster = sharedCluster('e2e-huge', { nodes: 1 });
  afterEach(() => cluster.clear());
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'dhow-pages-'));
  });
  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
    release();
  });

  const asking = (pages: number) => {
    const list = { cpu: '10m', memory: '32Mi', 'hugepages-2Mi': `${2 * pages}Mi` };
    return { resources: { requests: list, limits: list } };
  };
  const SLEEP = ['sleep', '1000000'];
  const volume = (medium: string) => ({
    volumes: [{ name: 'pages', emptyDir: { medium } }],
  });
  const mounted = { volumeMounts: [{ name: 'pages', mountPath: '/pages' }] };
  const nodeName = async () => (await cluster.pod('first'))?.spec.nodeName ?? '';

  it('are counted, mounted, and given to no two pods', async () => {
    const free = freePages();
    const first = podYaml(
      'first',
      SLEEP,
      { ...asking(allPages() - 2), ...mounted },
      volume('HugePages-2Mi'),
    );
    await cluster.apply(first);
    await cluster.podIsReady('first');
    const take = (file: string, pages: number) =>
      cluster.dhow(
        ...['exec', 'first', '--', 'fallocate', '-l', String(pages * PAGE_BYTES)],
        `/pages/${file}`,
      );
    expect(await take('a', 2)).toMatchObject({ code: 0 });
    expect(freePages()).toBe(free - 2);
    const tooMany = await take('b', allPages() - 3);
    expect([tooMany.code, tooMany.stderr]).toEqual([
      expect.not.stringMatching('^0$'),
      expect.stringContaining('No space left on device'),
    ]);

    const node = (await cluster.object('node', await nodeName())) as Node;
    const amount = { 'hugepages-2Mi': `${(allPages() * PAGE_BYTES) / 2 ** 20}Mi` };
    expect(node.status).toMatchObject({ capacity: amount, allocatable: amount });
    await cluster.untilSaid(
      /Allocated resources:[^]* hugepages-2Mi +12Mi \(75%\) +12Mi \(75%\)/,
      async () => cluster.kubectl('describe', 'node', await nodeName()),
    );

    // Four pages are needed, and two are left.
    await cluster.apply(podYaml('second', SLEEP, asking(4)));
    await cluster.untilSaid(/Insufficient hugepages-2Mi/, () =>
      cluster.kubectl('describe', 'pod', 'second'),
    );
    await cluster.apply(podYaml('bound', SLEEP, asking(4), { nodeName: await nodeName() }));
    const bound = await cluster.podIs('bound', 'Failed');
    expect(bound.status).toMatchObject({
      reason: 'OutOfhugepages-2Mi',
      message: expect.stringContaining(
        `requested: ${4 * PAGE_BYTES}, used: ${6 * PAGE_BYTES}, capacity: ${8 * PAGE_BYTES}`,
      ),
    });

    await cluster.must('delete', 'pod', 'first');
    await cluster.podIsReady('second');
    expect(freePages()).toBe(free);
  });

  it('are mapped without a volume as many as a container is limited in, and none without a limit', async () => {
    const source = join(__dirname, '../integration/support/pages.c');
    execFileSync('gcc', ['-static', '-O1', '-o', join(directory, 'pages'), source]);
    const shared = { volumes: [{ name: 'programs', hostPath: { path: directory } }] };
    const mounts = { volumeMounts: [{ name: 'programs', mountPath: '/programs' }] };
    await cluster.apply(podYaml('some', SLEEP, { ...asking(3), ...mounts }, shared));
    await cluster.apply(podYaml('none', SLEEP, mounts, shared));
    for (const name of ['some', 'none']) await cluster.podIsReady(name);
    const got = (name: string) =>
      cluster.must('exec', name, '--', '/programs/pages', String(PAGES));
    expect((await got('some')).trim()).toBe('3');
    expect((await got('none')).trim()).toBe('0');
  });

  it('are said to lack where a volume is of them and no container asks', async () => {
    await cluster.apply(podYaml('none', SLEEP, mounted, volume('HugePages')));
    await cluster.untilSaid(
      /FailedMount.*medium HugePages: hugePages storage requested, but there is no resource/,
      () => cluster.kubectl('describe', 'pod', 'none'),
    );
  });
});
