import type { DaemonSet, Node, Pod, PodSpec, Taint, Toleration } from '../../../api/types';
import { daemonTolerations, placementsOf } from '../../../api/daemon-pods';
import { daemonPod, targetOf } from './placement';

const setOf = (spec: object, annotations: Readonly<Record<string, string>> = {}): DaemonSet => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'agent', namespace: 'default', uid: 'u', annotations },
  spec: {
    selector: { matchLabels: { app: 'agent' } },
    template: {
      metadata: { labels: { app: 'agent' } },
      spec: { containers: [{ name: 'c', image: 'x' }], ...spec },
    },
  },
  status: {
    currentNumberScheduled: 0,
    desiredNumberScheduled: 0,
    numberMisscheduled: 0,
    numberReady: 0,
  },
});

const nodeOf = (
  taints: readonly Taint[] = [],
  labels: Readonly<Record<string, string>> = {},
): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'n1', labels },
  spec: { taints },
  status: {},
});

const affinityTo = (key: string) => ({
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key, operator: 'Exists' }] }],
      },
    },
  },
});
const taint = (key: string, effect: string): Taint => ({ key, effect });
const NODE = 'node.kubernetes.io';

it.each<[string, object, readonly Taint[], boolean, boolean]>([
  ['any node', {}, [], true, true],
  ['a node that it selects', { nodeSelector: { disk: 'ssd' } }, [], true, true],
  ['a node that it does not select', { nodeSelector: { disk: 'hdd' } }, [], false, false],
  ['a node that it has an affinity to', affinityTo('disk'), [], true, true],
  ['a node that it has none to', affinityTo('gpu'), [], false, false],
  ['the node that it names', { nodeName: 'n1' }, [], true, true],
  ['a node that it does not name', { nodeName: 'n2' }, [], false, false],
  ['a node that is closed to new pods', {}, [taint('a', 'NoSchedule')], false, true],
  ['a node that is closed to all', {}, [taint('a', 'NoExecute')], false, false],
  ['a node that is better avoided', {}, [taint('a', 'PreferNoSchedule')], true, true],
  [
    'a node whose taint it tolerates',
    { tolerations: [{ operator: 'Exists' }] },
    [taint('a', 'NoExecute')],
    true,
    true,
  ],
  ['a cordoned node', {}, [taint(`${NODE}/unschedulable`, 'NoSchedule')], true, true],
  ['a node under pressure', {}, [taint(`${NODE}/memory-pressure`, 'NoSchedule')], true, true],
  ['a node that is silent', {}, [taint(`${NODE}/unreachable`, 'NoExecute')], true, true],
  [
    'a node that is silent and closed',
    {},
    [taint(`${NODE}/unreachable`, 'NoSchedule')],
    false,
    true,
  ],
  ['a node without network', {}, [taint(`${NODE}/network-unavailable`, 'NoSchedule')], false, true],
  [
    'a node whose network it brings',
    { hostNetwork: true },
    [taint(`${NODE}/network-unavailable`, 'NoSchedule')],
    true,
    true,
  ],
])('says whether it is for %s', (_title, spec, taints, shouldRun, mayStay) => {
  expect(placementsOf(setOf(spec))(nodeOf(taints, { disk: 'ssd' }))).toEqual({
    shouldRun,
    mayStay,
  });
});

it('gives a pod its node, by name, in place of what else was required', () => {
  const spec = { ...affinityTo('disk'), nodeSelector: { disk: 'ssd' } };
  const preferred = [{ weight: 1, preference: {} }];
  Object.assign(spec.affinity.nodeAffinity, {
    preferredDuringSchedulingIgnoredDuringExecution: preferred,
  });
  const generation = { 'deprecated.daemonset.template.generation': '3' };
  const draft = daemonPod(setOf(spec, generation), 'abc', 'n1');
  expect(draft.metadata).toMatchObject({
    generateName: 'agent-',
    namespace: 'default',
    labels: { app: 'agent', 'controller-revision-hash': 'abc', 'pod-template-generation': '3' },
    ownerReferences: [{ kind: 'DaemonSet', name: 'agent', controller: true }],
  });
  expect(draft.spec.nodeName).toBeUndefined();
  expect(draft.spec.nodeSelector).toEqual({ disk: 'ssd' });
  expect(draft.spec.affinity?.nodeAffinity).toEqual({
    preferredDuringSchedulingIgnoredDuringExecution: preferred,
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [
        { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n1'] }] },
      ],
    },
  });
  expect(targetOf(draft as Pod)).toBe('n1');
  expect(targetOf({ ...draft, spec: { ...draft.spec, nodeName: 'n2' } } as Pod)).toBe('n2');
  expect(targetOf({ spec: setOf(affinityTo('disk')).spec.template.spec } as Pod)).toBeUndefined();
});

it('lets nothing limit how long a daemon stays on a node that is not ready', () => {
  const brief: Toleration = {
    ...{ key: `${NODE}/not-ready`, operator: 'Exists', effect: 'NoExecute' },
    tolerationSeconds: 5,
  };
  const own: Toleration = { key: 'a', operator: 'Equal', value: 'b', effect: 'NoSchedule' };
  const spec: PodSpec = { containers: [], tolerations: [brief, own] };
  const [first, second, ...others] = daemonTolerations(spec);
  expect(first).toEqual({ key: `${NODE}/not-ready`, operator: 'Exists', effect: 'NoExecute' });
  expect(second).toEqual(own);
  expect(others.map(({ key, effect }) => `${key ?? ''}:${effect ?? ''}`)).toEqual([
    `${NODE}/unreachable:NoExecute`,
    `${NODE}/disk-pressure:NoSchedule`,
    `${NODE}/memory-pressure:NoSchedule`,
    `${NODE}/pid-pressure:NoSchedule`,
    `${NODE}/unschedulable:NoSchedule`,
  ]);
});
