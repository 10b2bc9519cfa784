import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sharedCluster } from './support/shared-cluster';

jest.setTimeout(180_000);

const cluster = sharedCluster('e2e-pruning', { nodes: 1 });
const directory = mkdtempSync(join(tmpdir(), 'dhow-pruning-'));

afterEach(() => cluster.clear());
afterAll(() => rmSync(directory, { recursive: true }));

const map = (name: string, labels = '{app: shop}', data = '{a: "1"}') =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}, namespace: default, labels: ${labels}}\ndata: ${data}\n`;

const file = (...documents: string[]): string => {
  const path = join(directory, `${documents.length}.yaml`);
  writeFileSync(path, documents.join('---\n'));
  return path;
};

/** What both do from the same start. */
const bothOf = async (start: () => Promise<unknown>, ...words: string[]) => {
  await start();
  const ours = await cluster.dhow(...words);
  const after = await cluster.must('get', 'cm,secret', '-o', 'name');
  await cluster.must('delete', 'cm,secret', '-l', 'app');
  await start();
  const theirs = await cluster.kubectl(...words);
  // What kubectl says of its own future is its own.
  const lines = (text: string) =>
    text
      .split('\n')
      .filter((line) => !line.startsWith('W'))
      .sort();
  expect({ code: ours.code, lines: lines(ours.stdout) }).toEqual({
    code: theirs.code,
    lines: lines(theirs.stdout),
  });
  expect(await cluster.must('get', 'cm,secret', '-o', 'name')).toBe(after);
  await cluster.must('delete', 'cm,secret', '-l', 'app');
  return { ...ours, after };
};

const SECRET =
  'apiVersion: v1\nkind: Secret\nmetadata: {name: key, namespace: default, labels: {app: shop}}\n';

describe('apply --prune', () => {
  const start = async () => {
    await cluster.apply([map('a'), map('b'), SECRET, map('other', '{app: other}')].join('---\n'));
    await cluster.must('create', 'cm', 'unapplied');
    await cluster.must('label', 'cm', 'unapplied', 'app=shop');
  };
  it('deletes what was applied with the labels and is no more there', async () => {
    const kept = file(map('a'), map('c'));
    const dry = ['apply', '-f', file(map('a')), '--prune', '-l', 'app=shop'];
    const tried = await bothOf(start, ...dry, '--dry-run=server');
    expect(tried.stdout).toContain('configmap/b pruned (server dry run)\n');
    expect(tried.after).toContain('configmap/b');
    await start();
    expect(await cluster.must(...dry, '--dry-run=client')).toContain(
      'configmap/b pruned (dry run)',
    );
    expect(await cluster.must('get', 'cm', '-o', 'name')).toContain('configmap/b');
    await cluster.must('delete', 'cm,secret', '-l', 'app');
    const { after } = await bothOf(start, 'apply', '-f', kept, '--prune', '-l', 'app=shop');
    expect(after).toContain('configmap/c');
    expect(after).toContain('configmap/other');
    expect(after).toContain('configmap/unapplied');
    expect(after).not.toContain('configmap/b');
    expect(after).not.toContain('secret/key');
  });

  it('deletes only the kinds that may go', async () => {
    const words = ['apply', '-f', file(map('a')), '--prune', '-l', 'app=shop'];
    const { after } = await bothOf(start, ...words, '--prune-allowlist=core/v1/Secret');
    expect(after).toContain('configmap/b');
    expect(after).not.toContain('secret/key');
    const wrong = await cluster.dhow(...words, '--prune-allowlist=Secret');
    expect(wrong.stderr).toContain('invalid GroupVersionKind format: Secret');
  });

  it('is not all by mistake', async () => {
    await start();
    const refused = await cluster.dhow('apply', '-f', file(map('a')), '--prune');
    expect(refused).toEqual(await cluster.kubectl('apply', '-f', file(map('a')), '--prune'));
    expect(refused.stderr).toContain('without explicitly passing --all');
    expect((await cluster.dhow('apply', '-f', file(map('a')), '--all')).stderr).toContain(
      'only work with --prune',
    );
    expect((await cluster.dhow('apply', '-k', 'overlay')).stderr).toContain(
      'kubectl kustomize overlay | dhow apply -f -',
    );
    expect(await cluster.dhow('apply')).toEqual(await cluster.kubectl('apply'));
  });
});

describe('the manifest that an object keeps', () => {
  it('is shown', async () => {
    await cluster.apply(map('a'));
    for (const format of [[], ['-o', 'json']]) {
      const words = ['apply', 'view-last-applied', 'cm/a', ...format];
      expect(await cluster.dhow(...words)).toEqual(await cluster.kubectl(...words));
    }
    const wide = await cluster.dhow('apply', 'view-last-applied', 'cm/a', '-o', 'wide');
    expect(wide.stderr).toContain('must be one of yaml|json');
    await cluster.must('create', 'cm', 'bare');
    // kubectl means to say so, too, and says nothing.
    expect(await cluster.dhow('apply', 'view-last-applied', 'cm', 'bare')).toEqual({
      code: 1,
      stderr: 'error: no last-applied-configuration annotation found on resource: bare\n',
      stdout: '',
    });
  });

  it('is set, and nothing else', async () => {
    await cluster.must('create', 'cm', 'bare', '--from-literal=kept=1');
    const set = ['apply', 'set-last-applied', '-f', file(map('bare'))];
    const refused = await cluster.dhow(...set);
    expect(refused).toEqual(await cluster.kubectl(...set));
    expect(refused.stderr).toContain('run the command with --create-annotation');
    for (const mode of ['client', 'server', 'none']) {
      const made = [...set, '--create-annotation=true', `--dry-run=${mode}`];
      expect(await cluster.dhow(...made)).toEqual(await cluster.kubectl(...made));
    }
    expect(await cluster.must('get', 'cm', 'bare', '-o', 'jsonpath={.data}')).toBe('{"kept":"1"}');
    const view = ['apply', 'view-last-applied', 'cm/bare'];
    expect(await cluster.dhow(...view)).toEqual(await cluster.kubectl(...view));
  });
});

it('makes a role of the rules of others', async () => {
  const words = (dry: string) => [
    ...['create', 'clusterrole', 'e2e-sum', '--aggregation-rule=team=a,part=b'],
    ...[`--dry-run=${dry}`, '-o', 'yaml'],
  ];
  expect(await cluster.dhow(...words('client'))).toEqual(await cluster.kubectl(...words('client')));
  await cluster.must('create', 'clusterrole', 'e2e-sum', '--aggregation-rule=team=a,part=b');
  await cluster.must('delete', 'clusterrole', 'e2e-sum');
  const mixed = ['create', 'clusterrole', 'x', '--aggregation-rule=a=b', '--verb=get'];
  expect((await cluster.dhow(...mixed)).stderr).toContain('must be specified without');
});

it('does not wait for pods behind a port that a service does not have', async () => {
  await cluster.must('create', 'service', 'clusterip', 'front', '--tcp=80:8080');
  const { code, stderr } = await cluster.dhow('port-forward', 'svc/front', ':81');
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: expect.stringContaining('Service front does not have a service port 81') as string,
  });
});
