import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sharedCluster } from './support/shared-cluster';
import { deploymentYaml } from './support/cluster';

jest.setTimeout(180_000);

const NAME = 'e2e-create';

const cluster = sharedCluster(NAME, { nodes: 1 });

const CLIENT = ['--dry-run=client', '-o', 'yaml'];

describe('dhow', () => {
  afterEach(() => cluster.clear());

  it('shows what it would create, and creates nothing then', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dhow-create-'));
    try {
      const file = join(folder, 'f.txt');
      writeFileSync(file, 'hello\n');
      const map = ['configmap', 'c1', '--from-literal=a=b', `--from-file=${file}`];
      expect(await cluster.must('create', ...map, ...CLIENT)).toBe(
        'apiVersion: v1\ndata:\n  a: b\n  f.txt: |\n    hello\nkind: ConfigMap\nmetadata:\n  name: c1\n',
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
    const secret = ['secret', 'generic', 's1', '--from-literal=p=q'];
    expect(await cluster.must('create', ...secret, ...CLIENT)).toBe(
      'apiVersion: v1\ndata:\n  p: cQ==\nkind: Secret\nmetadata:\n  name: s1\n',
    );
    const deployment = ['deployment', 'd1', '--image=nginx', '--replicas=2', '--port=80'];
    expect(await cluster.must('create', ...deployment, ...CLIENT)).toBe(DEPLOYMENT);
    expect(await cluster.must('create', 'cm', 'c2', '--dry-run=server')).toBe(
      'configmap/c2 created (server dry run)\n',
    );
    for (const name of ['c1', 'c2']) expect(await cluster.object('cm', name)).toBeUndefined();
    expect(await cluster.object('deploy', 'd1')).toBeUndefined();
  });

  it('creates roles and what binds them, and refuses what is there', async () => {
    const role = ['role', 'r', '--verb=get,list', '--resource=pods,deployments.apps'];
    expect(await cluster.must('create', ...role)).toBe(
      'role.rbac.authorization.k8s.io/r created\n',
    );
    const binding = ['rolebinding', 'rb', '--role=r', '--serviceaccount=default:bot', '--user=dev'];
    expect(await cluster.must('create', ...binding)).toBe(
      'rolebinding.rbac.authorization.k8s.io/rb created\n',
    );
    expect(await cluster.must('get', 'role', 'r', '-o', 'jsonpath={.rules}')).toBe(
      '[{"apiGroups":[""],"resources":["pods"],"verbs":["get","list"]},{"apiGroups":["apps"],"resources":["deployments"],"verbs":["get","list"]}]',
    );
    await cluster.must('delete', 'role/r', 'rolebinding/rb');
    expect(await cluster.must('create', 'cm', 'cfg', '--from-literal=a=b')).toBe(
      'configmap/cfg created\n',
    );
    expect(await cluster.dhow('create', 'cm', 'cfg')).toEqual({
      code: 1,
      stdout: '',
      stderr: 'error: failed to create configmap: configmaps "cfg" already exists\n',
    });
  });

  it('changes the containers of what is there', async () => {
    await cluster.apply(deploymentYaml('web', 0, ['sleep', '1']));
    expect((await cluster.dhow('set', 'image', 'deploy/web', 'nope=x')).stderr).toBe(
      'error: unable to find container named "nope"\n',
    );
    expect(await cluster.must('set', 'image', 'deploy/web', 'main=x:2')).toBe(
      'deployment.apps/web image updated\n',
    );
    expect(await cluster.must('set', 'env', 'deploy/web', 'A=1', 'B=2')).toBe(
      'deployment.apps/web env updated\n',
    );
    expect(await cluster.must('set', 'env', 'deploy/web', 'A-')).toBe(
      'deployment.apps/web env updated\n',
    );
    expect(await cluster.must('set', 'env', 'deploy/web', '--list')).toBe(
      '# Deployment web, container main\nB=2\n',
    );
    expect(await cluster.must('set', 'resources', 'deploy/web', '--requests=cpu=100m')).toBe(
      'deployment.apps/web resource requirements updated\n',
    );
    const first = '.spec.template.spec.containers[0]';
    const fields = `jsonpath={${first}.image} {${first}.resources.requests.cpu}`;
    expect(await cluster.must('get', 'deploy', 'web', '-o', fields)).toBe('x:2 100m');
  });
});

const DEPLOYMENT = `apiVersion: apps/v1
kind: Deployment
metadata:
  labels:
    app: d1
  name: d1
spec:
  replicas: 2
  selector:
    matchLabels:
      app: d1
  strategy: {}
  template:
    metadata:
      labels:
        app: d1
    spec:
      containers:
      - image: nginx
        name: nginx
        ports:
        - containerPort: 80
        resources: {}
status: {}
`;
