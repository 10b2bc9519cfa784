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
    await started[Symbol.asyncDispose]();
    expect(leftBehind(name, before)).toEqual([]);
  });
  return cluster.proxy;
};
