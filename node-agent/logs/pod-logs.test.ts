import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { silentLog } from '../../lib/log';
import { LABEL, podLabels } from '../inventory/labels';
import { PodPaths } from '../inventory/pod-paths';
import { createPodBench, testPod } from '../pods/testing';
import { PodLogs, usableLogDir } from './pod-logs';

let directory: string;
let logDir: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-pod-logs-'));
  logDir = join(directory, 'var-log');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** An agent of its own folder on one machine. */
const agent = (name: string) => {
  const paths = new PodPaths(join(directory, name), join(directory, name, 'run'), logDir);
  return { paths, logs: new PodLogs(paths, silentLog) };
};
const podOf = (uid: string) => testPod({ metadata: { uid } });
const written = ({ paths, logs }: ReturnType<typeof agent>, uid: string, id = 'abc') => {
  const pod = podOf(uid);
  const path = paths.logPath(pod, 'web', 0);
  logs.prepare(path);
  writeFileSync(path, 'line\n');
  const labels = { ...podLabels(pod), [LABEL.container]: 'web', [LABEL.logPath]: path };
  logs.publish({ id, labels });
  return { id, labels, path };
};
const links = () => readdirSync(join(logDir, 'containers')).sort();
const pods = () => readdirSync(join(logDir, 'pods')).sort();

it('puts logs where collectors look, by the names that they take apart', () => {
  const { path } = written(agent('a'), 'u1');
  expect(path).toBe(join(logDir, 'pods', 'default_web_u1', 'web', '0.log'));
  expect(links()).toEqual(['web_default_web-abc.log']);
  const link = join(logDir, 'containers', 'web_default_web-abc.log');
  expect(readlinkSync(link)).toBe(path);
  expect(readFileSync(link, 'utf8')).toBe('line\n');
});

it('keeps two agents on one machine apart: each knows and removes its own', async () => {
  const [a, b] = [agent('a'), agent('b')];
  written(a, 'u1', 'a1');
  written(b, 'u2', 'b1');
  expect(readdirSync(a.paths.logRoot)).toEqual(['default_web_u1']);
  await a.logs.tidy([]);
  await a.logs.remove('default_web_u1');
  expect(pods()).toEqual(['default_web_u2']);
  expect(links()).toEqual(['web_default_web-b1.log']);
  expect(readdirSync(a.paths.logRoot)).toEqual([]);
});

it('publishes what an agent that died had not, and takes away what leads nowhere', async () => {
  const own = agent('a');
  const container = written(own, 'u1');
  rmSync(join(logDir, 'containers'), { recursive: true });
  await own.logs.tidy([container]);
  expect(links()).toEqual(['web_default_web-abc.log']);
  symlinkSync('/somewhere/else.log', join(logDir, 'containers', 'not-ours.log'));
  rmSync(container.path);
  await own.logs.tidy([]);
  expect(links()).toEqual(['not-ours.log']);
});

it('removes a folder that was noted and never made', async () => {
  const own = agent('a');
  mkdirSync(own.paths.logRoot, { recursive: true });
  const folder = join(logDir, 'pods', 'default_web_u1');
  symlinkSync(folder, join(own.paths.logRoot, 'default_web_u1'));
  await own.logs.remove('default_web_u1');
  expect(readdirSync(own.paths.logRoot)).toEqual([]);
});

it('leaves the logs of a pod where they were begun', () => {
  const before = new PodPaths(join(directory, 'a'), join(directory, 'run'));
  const folder = before.logFolder(podOf('u1'));
  mkdirSync(folder, { recursive: true });
  expect(agent('a').paths.logFolder(podOf('u1'))).toBe(folder);
});

it('keeps names within what a file name may have', () => {
  const { paths, logs } = agent('a');
  const pod = testPod({ metadata: { name: 'n'.repeat(253), uid: 'u1' } });
  const path = paths.logPath(pod, 'web', 0);
  logs.prepare(path);
  writeFileSync(path, '');
  const labels = { ...podLabels(pod), [LABEL.container]: 'web', [LABEL.logPath]: path };
  logs.publish({ id: 'abc', labels });
  const [name = ''] = links();
  expect(name).toHaveLength(255);
  expect(name.endsWith('.log')).toBe(true);
});

it('goes on with its own folder where the other cannot be made', () => {
  writeFileSync(join(directory, 'file'), '');
  expect(usableLogDir(join(directory, 'file'), silentLog)).toBeUndefined();
  expect(usableLogDir(undefined, silentLog)).toBeUndefined();
  expect(usableLogDir(logDir, silentLog)).toBe(logDir);
  expect(existsSync(join(logDir, 'containers'))).toBe(true);
});

it('has the log of a pod there as long as there is the pod', async () => {
  const bench = createPodBench({ directory: join(directory, 'a'), logDir });
  await bench.run(testPod());
  await bench.until(() => existsSync(join(logDir, 'pods', 'default_web_uid-1', 'web')));
  await bench.until(() => links().length === 1);
  await bench.run();
  await bench.until(() => pods().length === 0 && links().length === 0);
  await bench.stop();
});
