import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { DecisionReplay } from '../../api/decision-replays';
import type { SchedulerCapture } from '../../api/scheduler-captures';
import { DHOW, podYaml, shell } from './support/cluster';
import { sharedCluster } from './support/shared-cluster';

jest.setTimeout(180_000);

const cluster = sharedCluster('e2e-capture');

const SLEEP = ['sleep', '1000000'];
const directory = mkdtempSync(join(tmpdir(), 'dhow-capture-'));
const bundle = join(directory, 'bundle.json.gz');

/** On a machine that has no kubeconfig, no cluster and no network. */
const elsewhere = (...args: readonly string[]) =>
  shell(`env -i PATH="$PATH" HOME=/nonexistent unshare --net ${DHOW} ${args.join(' ')}`);

describe('a captured decision', () => {
  afterAll(async () => {
    rmSync(directory, { recursive: true });
    await cluster.clear();
  });

  it('comes out on another machine as it did here, and otherwise by another configuration', async () => {
    const secret = { env: [{ name: 'TOKEN', value: 'hunter2' }] };
    await cluster.apply(podYaml('small', SLEEP, secret));
    await cluster.apply(podYaml('huge', SLEEP, { resources: { requests: { cpu: '1000' } } }));
    await cluster.podIsReady('small');
    await cluster.until('the refusal', async () =>
      (await cluster.must('decisions', '--pod', 'huge')).includes('Unschedulable'),
    );
    expect(await cluster.must('scheduler', 'capture', '-o', bundle)).toMatch(
      /^\S+bundle\.json\.gz: [2-9] decisions, 3 nodes, \d+ pods, \d+ bytes\n$/,
    );
    const text = gunzipSync(readFileSync(bundle)).toString();
    expect(text).not.toContain('hunter2');
    const { status } = JSON.parse(text) as SchedulerCapture;
    const taken = status.steps.flatMap((step) => (step.kind === 'decision' ? [step] : []));
    const small = taken.find(({ pod }) => pod.metadata.name === 'small')!;
    expect(small.status.nodeName).toBe((await cluster.pod('small'))?.spec.nodeName);
    const huge = taken.find(({ pod }) => pod.metadata.name === 'huge')!;
    expect(huge.status.reasons).toEqual({ 'Insufficient cpu': 3 });

    const same = await elsewhere('replay', '--bundle', bundle);
    expect(same.stderr).toBe('');
    // Neither with other scores, nor for other reasons.
    expect(same.stdout).toMatch(/^(\d+) of \1 decisions come out the same\n$/);
    expect(same.code).toBe(0);

    const config = join(directory, 'loose.yaml');
    writeFileSync(
      config,
      'apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n' +
        'profiles: [{plugins: {filter: {disabled: [{name: NodeResourcesFit}]}}}]',
    );
    const other = await elsewhere('replay', '--bundle', bundle, '--config', config, '-o', 'json');
    expect([other.stderr, other.code]).toEqual(['', 1]);
    const replay = JSON.parse(other.stdout) as DecisionReplay;
    const [difference] = replay.status.differences;
    expect(difference).toMatchObject({ pod: 'default/huge', was: { nodesFeasible: 0 } });
    expect(difference?.was.message).toBe(huge.status.message);
    expect(difference?.now.nodeName).toMatch(/^node-\d$/);
  });

  it('is of one pod, where one is named', async () => {
    const one = join(directory, 'one.json.gz');
    expect(await cluster.must('scheduler', 'capture', 'pod/small', '-o', one)).toContain(
      ': 1 decision, 3 nodes, ',
    );
    expect((await elsewhere('replay', '--bundle', one)).stdout).toBe(
      '1 of 1 decision comes out the same\n',
    );
    const nobody = await cluster.dhow('scheduler', 'capture', 'nobody', '-o', one);
    expect([nobody.code, nobody.stderr]).toEqual([
      1,
      expect.stringContaining('no decision about pod default/nobody is remembered'),
    ]);
    const both = await cluster.dhow('scheduler', 'capture', 'small', '--last', '3');
    expect([both.code, both.stderr]).toEqual([1, expect.stringContaining('--last')]);
  });

  it('is refused by name and field where the file is none', async () => {
    const wrong = join(directory, 'wrong');
    writeFileSync(wrong, 'no bundle');
    for (const [file, words] of [
      [wrong, `error: --bundle ${wrong}: it is not packed by gzip`],
      [join(directory, 'absent'), 'ENOENT'],
    ] as const) {
      const { code, stdout, stderr } = await elsewhere('replay', '--bundle', file);
      expect([code, stdout, stderr]).toEqual([1, '', expect.stringContaining(words)]);
    }
  });
});
