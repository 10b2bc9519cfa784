import { lateBound } from '../../../lib/late-bound';
import { TestCluster, type ClusterOptions } from './cluster';
import { leftBehind, sharedState } from './machine';

/** One cluster for all tests of a file, started before the first; after the last it has left nothing. */
export const sharedCluster = (name: string, options: ClusterOptions = {}): TestCluster => {
  const cluster = lateBound<TestCluster>(`the cluster ${name}`);
  let before: readonly string[];
  let started: TestCluster;
  beforeAll(async () => {
    before = sharedState();
    started = await TestCluster.start(name, options);
    cluster.bind(started);
  });
  afterAll(async () => {
    const { code, stdout } = await started.kubectl('get', '--raw', '/metrics');
    await started[Symbol.asyncDispose]();
    expect(leftBehind(name, before)).toEqual([]);
    // Whatever the tests did: no pod slept though there was room for it.
    if (code === 0) expect(stdout).toContain('\ndhow_scheduler_overslept_pods_total 0\n');
  });
  return cluster.proxy;
};
