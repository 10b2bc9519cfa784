import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PodExplanation, SchedulingDecision } from '../../api/decisions';
import { podYaml } from './support/cluster';
import { sharedCluster } from './support/shared-cluster';

jest.setTimeout(180_000);

const cluster = sharedCluster('e2e-decisions');

const SLEEP = ['sleep', '1000000'];
const HOSTNAME = 'kubernetes.io/hostname';
const GROUP = '/apis/scheduling.dhow.dev/v1/namespaces/default/schedulingdecisions';

const there = (node: string) => ({ nodeSelector: { [HOSTNAME]: node } });
const huge = { resources: { requests: { cpu: '1000' } } };

const raw = async <T>(path: string): Promise<T> => {
  const { code, stdout, stderr } = await cluster.kubectl('get', '--raw', path);
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as T;
};

interface Decisions {
  readonly metadata: { readonly continue?: string };
  readonly items: readonly SchedulingDecision[];
}

const namesOf = ({ items }: Decisions) => items.map(({ spec }) => spec.podName);

const select = (selector: string, more = ''): Promise<Decisions> =>
  raw(`${GROUP}?fieldSelector=${encodeURIComponent(selector)}${more}`);

describe('decisions', () => {
  beforeAll(async () => {
    await cluster.apply(podYaml('first', SLEEP, {}, there('node-1')));
    await cluster.apply(podYaml('second', SLEEP, {}, there('node-2')));
    await cluster.apply(podYaml('huge', SLEEP, huge));
    await cluster.podIsReady('first');
    await cluster.podIsReady('second');
    await cluster.until('the refusal', async () =>
      (await cluster.must('decisions', '--pod', 'huge')).includes('Unschedulable'),
    );
  });
  afterAll(() => cluster.clear());

  it('are chosen by pod, node, reason and time, page by page', async () => {
    expect(namesOf(await select('spec.podName=first'))).toEqual(['first']);
    expect(namesOf(await select('status.nodeName=node-2'))).toEqual(['second']);
    const refused = await select('status.reason=Insufficient cpu,status.outcome=Unschedulable');
    expect(new Set(namesOf(refused))).toEqual(new Set(['huge']));
    const { items } = await select('status.outcome=Scheduled');
    const { time } = items.find(({ spec }) => spec.podName === 'first')!.spec;
    expect(namesOf(await select(`spec.minute=${time.slice(0, 16)}`))).toContain('first');
    expect((await select('spec.day=1999-01-01')).items).toEqual([]);
    const page = await select('spec.podName!=huge', '&limit=1');
    expect(namesOf(page)).toEqual(['first']);
    const token = page.metadata.continue ?? '';
    expect(namesOf(await select('spec.podName!=huge', `&limit=1&continue=${token}`))).toEqual([
      'second',
    ]);
    await expect(select('spec.nodeName=x')).rejects.toThrow('field label not supported');
    const text = await cluster.must('decisions', '--node', 'node-2');
    expect(text).toMatch(/default\/second +1 +Scheduled +node-2/);
    expect(text).not.toContain('default/first');
    const reason = await cluster.must('decisions', '--reason', 'Insufficient cpu');
    expect(reason).toContain('default/huge');
    expect(reason).not.toContain('default/first');
  });

  it('are told by kubectl too, with why a pod is where it is', async () => {
    const list = await cluster.kubectl('get', 'schedulingdecisions', '-o', 'wide');
    expect(list.stdout).toMatch(/^NAME +POD +OUTCOME +NODE +FEASIBLE/);
    expect(list.stdout).toMatch(/ second +Scheduled +node-2 +1\/3 /);
    const place = '/api/v1/namespaces/default/pods';
    const why = await raw<PodExplanation>(`${place}/huge/scheduling`);
    expect(why.kind).toBe('PodExplanation');
    // A change of a node may have it tried again.
    expect(why.status.attempts).toBeGreaterThanOrEqual(1);
    expect(why.status.nodes.map(({ fits }) => fits)).toEqual([false, false, false]);
    const one = await raw<PodExplanation>(`${place}/first/scheduling?node=node-2`);
    expect(one.status.nodes).toMatchObject([{ node: 'node-2', fits: false }]);
    await expect(raw(`${place}/nobody/scheduling`)).rejects.toThrow('"nobody" not found');
    await cluster.must('create', 'serviceaccount', 'reader');
    const may = (verb: string, what: string) =>
      cluster.kubectl('auth', 'can-i', verb, what, '--as=system:serviceaccount:default:reader');
    expect((await may('get', 'pods/scheduling')).stdout.trim()).toBe('no');
    await cluster.must(
      ...['create', 'rolebinding', 'reader', '--clusterrole', 'view'],
      ...['--serviceaccount', 'default:reader'],
    );
    await cluster.until('the role', async () => (await may('get', 'pods/scheduling')).code === 0);
    await cluster.must('delete', 'rolebinding', 'reader');
    await cluster.must('delete', 'serviceaccount', 'reader');
  });

  it('are summed up: how the scheduler does, in figures that others can collect', async () => {
    // It may be backing off for a moment.
    const metrics = await cluster.until('a pod that waits for a change', async () => {
      const { stdout } = await cluster.kubectl('get', '--raw', '/metrics');
      return /\nscheduler_pending_pods\{queue="unschedulable"\} 1\n/.test(stdout) && stdout;
    });
    expect(metrics).toMatch(/\nscheduler_unschedulable_pods\{plugin="NodeResourcesFit",profile=/);
    const text = await cluster.until('the same in words', async () => {
      const told = await cluster.must('top', 'scheduler');
      return /^queue +0 active, 0 backoff, 1 unschedulable, 0 gated\n/.test(told) && told;
    });
    expect(text).toMatch(/\nNodeResourcesFit +\d+ +1\n/);
    expect(text).toMatch(/\nInsufficient cpu +\d+\n/);
    expect(text).toMatch(/\nHOT NODE +PLACED\nnode-\d +1\n/);
    const json = JSON.parse(await cluster.must('top', 'scheduler', '-o', 'json')) as {
      status: { recent: { placed: number } };
    };
    expect(json.status.recent.placed).toBe(2);
  });

  it('are taken again, as they were and by another configuration', async () => {
    const replay = async (config: string | undefined) => {
      if (config === undefined) return cluster.dhow('replay', '--last', '20');
      const directory = mkdtempSync(join(tmpdir(), 'dhow-replay-'));
      try {
        const file = join(directory, 'scheduler.yaml');
        writeFileSync(file, config);
        return await cluster.dhow('replay', '--last', '20', '--config', file);
      } finally {
        rmSync(directory, { recursive: true });
      }
    };
    const same = await replay(undefined);
    expect(same.stdout).toMatch(/^(\d+) of \1 decisions come out the same\n$/);
    expect(same.code).toBe(0);
    const head = 'apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n';
    const loose = `${head}profiles: [{plugins: {filter: {disabled: [{name: NodeResourcesFit}]}}}]`;
    const other = await replay(loose);
    expect(other.code).toBe(1);
    expect(other.stdout).toMatch(/ default\/huge +1 +- +node-\d \(\d+\) /);
    expect(other.stdout).toMatch(/ decisions come out the same.*, \d+ differently\n$/);
    const wrong = await replay(`${head}profiles: 7`);
    expect([wrong.code, wrong.stderr]).toEqual([
      1,
      expect.stringContaining('invalid scheduler configuration'),
    ]);
  });

  it('are told as they are made, and outlive the server', async () => {
    const watch = cluster.follow('decisions', '-w', '--node', 'node-3');
    let said = '';
    watch.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    try {
      await cluster.until('the header', () => Promise.resolve(said.includes('OUTCOME')));
      await cluster.apply(podYaml('third', SLEEP, {}, there('node-3')));
      await cluster.apply(podYaml('fourth', SLEEP, {}, there('node-1')));
      await cluster.until('a line', () =>
        Promise.resolve(/default\/third +1 +Scheduled/.test(said)),
      );
      await cluster.podIsReady('fourth');
      expect(said).not.toContain('default/fourth');
    } finally {
      watch.kill();
    }
    const before = await cluster.must('decisions', '--outcome', 'Scheduled', '-o', 'json');
    process.kill(cluster.pid('server'), 'SIGKILL');
    await cluster.up();
    const after = await cluster.until('its answer', async () => {
      const { code, stdout } = await cluster.dhow(
        'decisions',
        '--outcome',
        'Scheduled',
        '-o',
        'json',
      );
      return code === 0 && (JSON.parse(stdout) as Decisions).items.length > 0 && stdout;
    });
    expect(JSON.parse(after)).toEqual(JSON.parse(before));
  });
});
