import type { Event, Pod, StatefulSet } from '../../api/types';
import { isReady, podYaml } from './support/cluster';
import { sharedCluster } from './support/shared-cluster';

jest.setTimeout(300_000);

const NAME = 'e2e-stateful';

const cluster = sharedCluster(NAME, { nodes: 2 });

const SLEEP = ['sleep', '1000000'];
const CLAIM_SIZE = { requests: { storage: '1Mi' } };

const setYaml = (replicas: number, more: object = {}): string =>
  JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db' },
    spec: {
      ...{ replicas, serviceName: 'dbs', ...more },
      selector: { matchLabels: { app: 'db' } },
      template: {
        metadata: { labels: { app: 'db' } },
        spec: (JSON.parse(podYaml('db', SLEEP)) as Pod).spec,
      },
    },
  });

const kubectl = async (...args: string[]): Promise<string> => {
  const { code, stdout, stderr } = await cluster.kubectl(...args);
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${code}\n${stdout}${stderr}`);
  return stdout;
};

const rolledOut = () => kubectl('rollout', 'status', 'sts/db', '--timeout=120s');

/** By name: STEP of the pod's environment, which a change of the template sets. */
const steps = async (): Promise<Readonly<Record<string, string>>> =>
  Object.fromEntries(
    (await cluster.pods()).map(({ metadata, spec }) => [
      metadata.name,
      spec.containers[0]?.env?.[0]?.value ?? '',
    ]),
  );

const setStep = (step: string) => kubectl('set', 'env', 'sts/db', `STEP=${step}`);

const status = async () => ((await cluster.object('sts', 'db')) as StatefulSet).status;

afterEach(() => cluster.clear());

describe('a StatefulSet', () => {
  it('is made in order, updated, scaled and taken back, by kubectl and by dhow', async () => {
    await cluster.apply(setYaml(3));
    expect(await rolledOut()).toMatch(
      /partitioned roll out complete: 3 new pods have been updated\.\.\.\n$/,
    );
    expect(await kubectl('get', 'sts', 'db')).toMatch(/\ndb +3\/3 +\S+\n$/);
    const pods = await cluster.pods();
    expect(pods.map(({ spec }) => [spec.hostname, spec.subdomain])).toEqual(
      [0, 1, 2].map((n) => [`db-${n}`, 'dbs']),
    );
    const starts = pods.map((pod) => Date.parse(pod.status.startTime ?? ''));
    expect(starts).toEqual([...starts].sort((a, b) => a - b));
    expect(await kubectl('exec', 'db-1', '--', 'hostname')).toBe('db-1\n');

    await setStep('2');
    expect(await cluster.must('rollout', 'status', 'sts/db', '--timeout=120s')).toMatch(
      /partitioned roll out complete: 3 new pods have been updated\.\.\.\n$/,
    );
    expect(await steps()).toEqual({ 'db-0': '2', 'db-1': '2', 'db-2': '2' });
    const history =
      'statefulset.apps/db \nREVISION  CHANGE-CAUSE\n1         <none>\n2         <none>\n\n';
    expect(await kubectl('rollout', 'history', 'sts/db')).toBe(history);
    expect(await cluster.must('rollout', 'history', 'sts/db')).toBe(history);
    const second = ['rollout', 'history', 'sts/db', '--revision=2'];
    expect(await cluster.must(...second)).toBe(await kubectl(...second));
    expect(await kubectl('get', 'controllerrevisions')).toMatch(
      /^NAME +CONTROLLER +REVISION +AGE\n(db-\w+ +statefulset\.apps\/db +[12] +\S+\n){2}$/,
    );
    expect(await kubectl('rollout', 'undo', 'sts/db')).toBe('statefulset.apps/db rolled back\n');
    await rolledOut();
    expect(await steps()).toEqual({ 'db-0': '', 'db-1': '', 'db-2': '' });
    const third = ['rollout', 'undo', 'sts/db', '--to-revision=3'];
    const skipped = 'skipped rollback (current template already matches revision 3)';
    expect(await kubectl(...third)).toContain(skipped);
    expect(await cluster.must(...third)).toContain(skipped);
    expect(await cluster.must('rollout', 'undo', 'sts/db')).toBe(
      'statefulset.apps/db rolled back\n',
    );
    await rolledOut();
    expect(await steps()).toEqual({ 'db-0': '2', 'db-1': '2', 'db-2': '2' });
    for (const restart of [kubectl, cluster.must.bind(cluster)]) {
      expect(await restart('rollout', 'restart', 'sts/db')).toBe('statefulset.apps/db restarted\n');
      await rolledOut();
    }
    expect(await status()).toMatchObject({ updatedReplicas: 3, availableReplicas: 3 });

    expect(await kubectl('scale', 'sts/db', '--replicas=1')).toBe('statefulset.apps/db scaled\n');
    await cluster.until('one pod', async () => (await cluster.pods()).length === 1);
    expect(Object.keys(await steps())).toEqual(['db-0']);
    const scale = await kubectl(
      'get',
      '--raw',
      '/apis/apps/v1/namespaces/default/statefulsets/db/scale',
    );
    expect(JSON.parse(scale)).toMatchObject({
      ...{ spec: { replicas: 1 }, status: { replicas: 1, selector: 'app=db' } },
    });
    await cluster.untilSaid(/SuccessfulDelete .*Delete Pod db-1 in StatefulSet db successful/, () =>
      cluster.kubectl('events', '--for', 'sts/db'),
    );
  });

  it('gets out of a template that never becomes ready, without anybody deleting pods', async () => {
    await cluster.apply(setYaml(2));
    await rolledOut();
    await kubectl('set', 'image', 'sts/db', 'main=dhow.local/no-such-image:1');
    await cluster.until('a pod that cannot start', async () => {
      const pod = await cluster.pod('db-1');
      return pod?.spec.containers[0]?.image?.includes('no-such') === true && !isReady(pod);
    });
    expect(isReady(await cluster.pod('db-0'))).toBe(true);
    expect((await cluster.dhow('why', 'sts/db')).stdout).toContain('db-1');
    await kubectl('rollout', 'undo', 'sts/db');
    await rolledOut();
    expect((await cluster.pods()).filter(isReady)).toHaveLength(2);
  });

  it('tells of a claim that cannot be made in the words of upstream, and of nothing else', async () => {
    const spec = { accessModes: ['ReadWriteOnce', 'ReadWriteOncePod'], resources: CLAIM_SIZE };
    await cluster.apply(
      setYaml(1, { volumeClaimTemplates: [{ metadata: { name: 'data' }, spec }] }),
    );
    const why =
      'PersistentVolumeClaim "data-db-0" is invalid: spec.accessModes: Forbidden: ' +
      'may not use ReadWriteOncePod with other access modes';
    // Others of its name were here before.
    const uid = await kubectl('get', 'sts', 'db', '-o', 'jsonpath={.metadata.uid}');
    const told = async () => {
      const events = await kubectl('get', 'events', '-o', 'json');
      return (JSON.parse(events) as { items: Event[] }).items
        .filter(({ involvedObject }) => involvedObject.uid === uid)
        .map(({ reason, message, count = 1 }) => ({ reason, message, count }))
        .sort((a, b) => ((a.message ?? '') < (b.message ?? '') ? -1 : 1));
    };
    // Often enough for a fault to have been told, too.
    const events = await cluster.until('it is tried again', async () => {
      const found = await told();
      return found.some(({ count }) => count > 3) ? found : undefined;
    });
    expect(events.map(({ reason, message }) => [reason, message])).toEqual([
      [
        'FailedCreate',
        `Create Claim data-db-0 for Pod db-0 in StatefulSet db failed error: ${why}`,
      ],
      [
        'FailedCreate',
        `Create Pod db-0 in StatefulSet db failed error: failed to create PVC data-db-0: ${why}`,
      ],
    ]);
  });

  it('replaces no pod of a lost node until somebody says that it is gone', async () => {
    await cluster.apply(setYaml(2, { podManagementPolicy: 'Parallel' }));
    await rolledOut();
    const before = await cluster.pod('db-0');
    const node = before?.spec.nodeName ?? '';
    cluster.killNode(node);
    await cluster.until(
      'word of it',
      async () =>
        /PodOnLostNode .*kubectl delete pod db-0 --namespace default --force/.test(
          await kubectl('events', '--for', 'sts/db'),
        ),
      120_000,
    );
    const kept = await cluster.pod('db-0');
    expect(kept?.metadata.uid).toBe(before?.metadata.uid);
    expect(kept?.metadata.deletionTimestamp).toBeDefined();
    await kubectl('delete', 'pod', 'db-0', '--force');
    const after = await cluster.podIsReady('db-0');
    expect(after.metadata.uid).not.toBe(before?.metadata.uid);
    expect(after.spec.nodeName).not.toBe(node);
    await cluster.up();
  });
});
