import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { deploymentYaml, exitStatus, podYaml, shell } from './support/cluster';
import { sharedCluster } from './support/shared-cluster';

jest.setTimeout(180_000);

const cluster = sharedCluster('e2e-daily', { nodes: 1 });

const IMAGE = ['--image=dhow.local/busybox:1', '--image-pull-policy=IfNotPresent'];

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'dhow-daily-'))));
afterEach(async () => {
  rmSync(folder, { recursive: true, force: true });
  await cluster.clear();
});

const map = (value: string): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'c' },
    data: { a: value },
  });

it('tells what apply would change, and replaces', async () => {
  const file = join(folder, 'c.json');
  writeFileSync(file, map('1'));
  expect((await cluster.dhow('diff', '-f', file)).code).toBe(1);
  await cluster.must('apply', '-f', file);
  expect(await cluster.dhow('diff', '-f', file)).toEqual({ code: 0, stdout: '', stderr: '' });
  writeFileSync(file, map('2'));
  const { code, stdout } = await cluster.dhow('diff', '-f', file);
  expect([code, stdout]).toEqual([1, expect.stringContaining('-  a: "1"\n+  a: "2"\n')]);
  expect((await cluster.dhow('diff', '-f', `${file}.none`)).code).toBe(2);
  expect(await cluster.must('replace', '-f', file)).toBe('configmap/c replaced\n');
  expect(await cluster.must('replace', '--force', '-f', file)).toBe(
    'configmap "c" deleted from default namespace\nconfigmap/c replaced\n',
  );
});

it('waits for what it deletes as long as it is told to', async () => {
  await cluster.apply(map('1'));
  const finalizers = (value: string) =>
    cluster.must('patch', 'cm', 'c', '--type=merge', '-p', `{"metadata":{"finalizers":${value}}}`);
  await finalizers('["example.com/kept"]');
  expect(await cluster.dhow('delete', 'cm', 'c', 'none', '--timeout=300ms')).toEqual({
    code: 1,
    stdout: 'configmap "c" deleted from default namespace\n',
    stderr:
      'Error from server (NotFound): configmaps "none" not found\n' +
      'error: timed out waiting for the condition on configmaps/c\n',
  });
  const wrong = await cluster.dhow('delete', 'cm', 'c', '--timeout=soon');
  expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('--timeout: "soon"')]);
  await finalizers('null');
  expect((await cluster.dhow('delete', 'cm', 'c', '--ignore-not-found')).code).toBe(0);
});

it('edits, keeps what others change meanwhile, and gives up on nonsense', async () => {
  await cluster.apply(map('1'));
  const editor = join(folder, 'editor.sh');
  const edit = async (script: string) => {
    writeFileSync(editor, `#!/bin/sh\n${script}\n`);
    chmodSync(editor, 0o755);
    return shell(
      `EDITOR=${editor} KUBECONFIG=/var/lib/dhow/e2e-daily/server/admin.kubeconfig ./dhow edit cm c`,
    );
  };
  const meanwhile = './dhow --help >/dev/null; ./dhow label cm c by=others >/dev/null';
  expect((await edit(`${meanwhile}; sed -i 's/a: "1"/a: "2"/' "$1"`)).stdout).toBe(
    'configmap/c edited\n',
  );
  expect(
    await cluster.must('get', 'cm', 'c', '-o', 'jsonpath={.data.a}{.metadata.labels.by}'),
  ).toBe('2others');
  expect((await edit('true')).stderr).toBe('Edit cancelled, no changes made.\n');
  const nonsense = await edit(`sed -i 's/^kind:.*/kind: [/' "$1"`);
  expect(nonsense.code).toBe(1);
  expect(nonsense.stderr).toMatch(/A copy of your changes has been stored to "(\S+)"/);
  const copy = /stored to "(\S+)"/.exec(nonsense.stderr)?.[1] ?? '';
  expect(readFileSync(copy, 'utf8')).toContain('kind: [');
  rmSync(join(copy, '..'), { recursive: true });
});

it('runs an image to its end, attached', async () => {
  const run = ['run', 'once', ...IMAGE, '--restart=Never', '--rm'];
  const attached = await cluster.dhow(
    ...run,
    '--attach',
    '--command',
    '--',
    'sh',
    '-c',
    'echo hi; exit 7',
  );
  expect(attached).toEqual({
    code: 7,
    stdout: 'hi\npod "once" deleted from default namespace\n',
    stderr: 'pod default/once terminated (Error)\n',
  });
  const piped = await cluster.dhowWith('one\ntwo\n', ...run, '-i', '--command', '--', 'wc', '-l');
  expect(piped.stdout).toMatch(/^\s*2\n/);
});

it('copies files, and forwards to what listens on the loopback alone', async () => {
  const serve = 'echo from-pod > /index.html; exec busybox httpd -f -p 127.0.0.1:80 -h /';
  await cluster.apply(podYaml('web', ['sh', '-c', serve]));
  await cluster.podIsReady('web');
  const here = join(folder, 'here');
  writeFileSync(here, 'content\n');
  await cluster.must('cp', here, 'web:/tmp/there');
  await cluster.must('cp', 'web:/tmp/there', join(folder, 'back'));
  expect(readFileSync(join(folder, 'back'), 'utf8')).toBe('content\n');
  const forwarding = cluster.follow('port-forward', 'pod/web', ':80');
  let said = '';
  forwarding.stdout?.on('data', (data: Buffer) => (said += data.toString()));
  const port = await cluster.until('a port', async () => /127.0.0.1:(\d+) -> 80/.exec(said)?.[1]);
  const socket = connect(Number(port), '127.0.0.1');
  socket.write('GET /index.html HTTP/1.0\r\n\r\n');
  expect(await text(socket)).toMatch(/^HTTP\/1.[01] 200 OK[^]*from-pod\n$/);
  forwarding.kill('SIGINT');
  expect(await exitStatus(forwarding)).toBe(130);
});

it('shows the logs of all pods of a deployment, and what happened to it', async () => {
  await cluster.apply(deploymentYaml('web', 2, ['sh', '-c', 'echo started; exec sleep 1000000']));
  const lines = await cluster.until('both logs', async () => {
    const { stdout } = await cluster.dhow('logs', 'deploy/web', '--all-pods');
    return stdout.split('\n').length > 2 ? stdout : undefined;
  });
  expect(lines).toMatch(/^(\[pod\/web-\S+\/main\] started\n){2}$/);
  await cluster.untilSaid(/ScalingReplicaSet/, () => cluster.dhow('events', '--for', 'deploy/web'));
  expect(await cluster.must('explain', 'deploy.spec.replicas')).toContain(
    'FIELD: replicas <integer>',
  );
  expect(await cluster.must('api-resources', '--api-group=apps', '-o', 'name')).toContain(
    'deployments.apps\n',
  );
});
