import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sharedCluster } from './support/shared-cluster';

jest.setTimeout(180_000);

const cluster = sharedCluster('e2e-options', { nodes: 1 });

const directory = mkdtempSync(join(tmpdir(), 'dhow-options-'));

afterEach(() => cluster.clear());
afterAll(() => rmSync(directory, { recursive: true }));

const file = (name: string, content: string): string => {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
};

/** The same words for both, and the same answer. */
const same = async (...words: string[]) => {
  const [ours, theirs] = [await cluster.dhow(...words), await cluster.kubectl(...words)];
  expect({ words, ...ours }).toEqual({ words, ...theirs });
  return ours.stdout;
};

const MAP = `apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: default}
data: {b: "2", a: "1"}
`;

it('takes where and as whom before the command', async () => {
  expect(await same('-n', 'kube-system', 'get', 'sa', 'default', '-o', 'name')).toBe(
    'serviceaccount/default\n',
  );
  await same('--namespace=kube-system', 'get', 'sa', 'nosuch');
  await same('--as', 'bob', 'get', 'pods');
  expect((await cluster.dhow('get', 'pods', '--as=bob')).stderr).toContain(
    'User "bob" cannot list resource "pods"',
  );
  expect(
    await same('auth', 'whoami', '--as=bob', '--as-group=a', '--as-group=b', '--as-uid=7'),
  ).toMatch(/Username +bob\nUID +7\nGroups +\[a b system:authenticated\]/);
  expect((await cluster.dhow('get', 'pods', '--as-group=a')).stderr).toContain('add --as USER');
});

it('tries a deletion', async () => {
  await cluster.apply(MAP);
  for (const mode of ['client', 'server']) {
    expect(await same('delete', 'cm', 'settings', `--dry-run=${mode}`)).toMatch(/dry run\)\n$/);
    await same('delete', 'cm', 'settings', `--dry-run=${mode}`, '-o', 'name');
  }
  await same('delete', 'cm/settings', 'cm/nosuch', '--dry-run=server');
  // kubectl does not ask here.
  const unasked = await cluster.dhow('delete', 'cm', 'nosuch', '--dry-run=client');
  expect(unasked.stderr).toBe('Error from server (NotFound): configmaps "nosuch" not found\n');
  await same('get', 'cm', 'settings', '-o', 'name');
});

it('shows the objects of files, with who set which field, in the order of their names', async () => {
  await cluster.apply(MAP);
  const map = file('map.yaml', MAP);
  expect(await same('get', '-f', map, '-o', 'name')).toBe('configmap/settings\n');
  for (const format of ['json', 'yaml']) {
    await same('get', '-f', map, '-o', format);
    await same('get', 'cm', '-o', format);
    expect(await same('get', 'cm', 'settings', '-o', format, '--show-managed-fields')).toContain(
      'managedFields',
    );
  }
});

it('replaces an object of a kind that is not written without a version', async () => {
  await cluster.apply(`apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gears.options.example.com}
spec:
  group: options.example.com
  scope: Namespaced
  names: {plural: gears, kind: Gear}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {size: {type: integer}}}}
`);
  await cluster.must('wait', 'crd/gears.options.example.com', '--for=condition=Established');
  const gear = (size: number) =>
    `{apiVersion: options.example.com/v1, kind: Gear, metadata: {name: g}, size: ${size}}`;
  await cluster.apply(gear(1));
  expect(await same('replace', '-f', file('gear.yaml', gear(2)))).toBe(
    'gear.options.example.com/g replaced\n',
  );
  expect(await cluster.must('get', 'gear', 'g', '-o', 'jsonpath={.size}')).toBe('2');
  const all = await cluster.dhow('delete', 'all', '-l', 'none=x');
  expect(all).toEqual({ code: 0, stdout: 'No resources found\n', stderr: '' });
  await cluster.must('delete', 'crd', 'gears.options.example.com');
});
