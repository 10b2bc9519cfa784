import { ApiError } from '../../api/errors';
import type { Pod } from '../../api/types';
import { drainPlan, isOfGoingNamespace, type DrainChoices } from './drain-plan';

const NONE: DrainChoices = { ignoreDaemonsets: false, force: false, deleteEmptydirData: false };
const ALL: DrainChoices = { ignoreDaemonsets: true, force: true, deleteEmptydirData: true };

const pod = (name: string, owner?: string, more: object = {}, phase = 'Running'): Pod =>
  ({
    metadata: {
      name,
      namespace: 'default',
      ...(owner === undefined ? {} : { ownerReferences: [{ kind: owner, controller: true }] }),
      ...more,
    },
    spec: { containers: [], ...(name === 'data' ? { volumes: [{ emptyDir: {} }] } : {}) },
    status: { phase },
  }) as unknown as Pod;

const PODS = [
  pod('web', 'ReplicaSet'),
  pod('agent', 'DaemonSet'),
  pod('bare'),
  pod('data', 'ReplicaSet'),
  pod('static', undefined, { annotations: { 'kubernetes.io/config.mirror': 'x' } }),
  pod('done', undefined, {}, 'Succeeded'),
];

it('evicts nothing before it is told what may be lost', () => {
  expect(drainPlan(PODS, NONE).refusals).toEqual([
    'cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore): default/agent',
    'cannot delete Pods with local storage (use --delete-emptydir-data to override): default/data',
    'cannot delete cannot delete Pods that declare no controller (use --force to override): default/bare',
  ]);
});

it('evicts all but pods of daemon sets and of the node itself', () => {
  const { evicted, warnings, refusals } = drainPlan(PODS, ALL);
  expect(evicted.map(({ metadata }) => metadata.name)).toEqual(['web', 'bare', 'data', 'done']);
  expect(warnings).toEqual([
    'ignoring DaemonSet-managed Pods: default/agent',
    'deleting Pods with local storage: default/data',
    'deleting Pods that declare no controller: default/bare',
  ]);
  expect(refusals).toEqual([]);
});

it('tells a namespace that is going from other refusals', () => {
  const refused = (reason: string) =>
    new ApiError('Forbidden', 'no', { details: { causes: [{ reason, message: 'm' }] } });
  expect(isOfGoingNamespace(refused('NamespaceTerminating'))).toBe(true);
  expect(isOfGoingNamespace(refused('Other'))).toBe(false);
  expect(isOfGoingNamespace(new ApiError('Forbidden', 'no'))).toBe(false);
  expect(isOfGoingNamespace(new Error('NamespaceTerminating'))).toBe(false);
});
