import { all, kept, shown, tests, warned, type Effects } from './effect';
import { OBJECT, STATUS } from './metadata';

const ASSIGNMENTS = tests('control-plane/nodes/assignments.test.ts');
const SCHEME = tests('api/scheme.test.ts');
const VOLUMES = tests('node-agent/volumes/volumes.test.ts');
const PRIORITY = tests('control-plane/api-server/admission/priority.test.ts');
const CLASS = shown(
  'control-plane/api-server/admission/runtime-class.test.ts: gives a pod what its class says of it',
);
const TOLD = kept('what is told, for whoever reads it');
const SELECTED = shown(
  'api/kinds/kinds.test.ts: finds events by what they are about and who tells',
);
const VIEWED = shown(
  'control-plane/api-server/kinds/event.test.ts: are seen through the other group under its names',
);
/** Nodes whose lease runs out lose their pods. */
const HEALS = shown('test/simulation/control-plane.test.ts: heals to exactly what is wanted');
const IMMUTABLE = shown(SCHEME('stays as it is once immutable'));

export const CLUSTER_EFFECTS: Effects = {
  Namespace: {
    ...OBJECT,
    spec: shown(
      'control-plane/api-server/objects/deletion.test.ts: keep their finalizer through ordinary',
    ),
    status: STATUS,
  },
  NamespaceSpec: {
    finalizers: shown(
      'test/simulation/garbage-collection.test.ts: empties a namespace, says what it waits for',
    ),
  },
  Node: {
    ...OBJECT,
    spec: shown(ASSIGNMENTS('tells a node of its labels and taints')),
    status: STATUS,
  },
  NodeSpec: {
    configSource: warned({ configMap: { name: 'a', namespace: 'b', kubeletConfigKey: 'c' } }),
    externalID: warned('x'),
    podCIDR: shown(ASSIGNMENTS('knows peers by address, range and packet size')),
    podCIDRs: shown(ASSIGNMENTS('knows peers by address, range and packet size')),
    providerID: kept('the name that a cloud has for the machine, for whoever asks the cloud'),
    taints: {
      ...warned([{ key: 'node.kubernetes.io/out-of-service', effect: 'NoExecute' }]),
      ...shown('api/pods.test.ts: toleration %j tolerates'),
    },
    unschedulable: shown(
      'control-plane/scheduler/decide.test.ts: counts every reason of a node in the message',
    ),
  },
  Taint: {
    ...all(['effect', 'key', 'value'], shown('api/pods.test.ts: toleration %j tolerates')),
    timeAdded: shown(
      'control-plane/controllers/node-lifecycle/plan.test.ts: takes a time %s for now',
    ),
  },
  ConfigMap: {
    ...OBJECT,
    ...all(['binaryData', 'data'], shown(VOLUMES('joins sources in a projected volume'))),
    immutable: IMMUTABLE,
  },
  Secret: {
    ...OBJECT,
    data: shown(VOLUMES('gives secrets their modes')),
    immutable: IMMUTABLE,
    stringData: shown(SCHEME('turn the text of a secret into data')),
    type: {
      ...warned('kubernetes.io/service-account-token', 'bootstrap.kubernetes.io/token'),
      ...shown(SCHEME('needs what the type of a secret promises')),
    },
  },
  ServiceAccount: {
    ...OBJECT,
    automountServiceAccountToken: shown(
      'control-plane/api-server/admission/service-account.test.ts: mounts the token of its account into a pod',
    ),
    imagePullSecrets: shown(
      'control-plane/api-server/admission/service-account.test.ts: gives a pod the pull secrets of its account',
    ),
    secrets: kept('a list for readers: holding pods to it is refused'),
  },
  Lease: {
    ...OBJECT,
    spec: HEALS,
  },
  LeaseSpec: {
    ...all(['acquireTime', 'holderIdentity', 'leaseDurationSeconds', 'leaseTransitions'], TOLD),
    ...all(['preferredHolder', 'strategy'], warned('OldestEmulationVersion')),
    renewTime: HEALS,
  },
  Event: {
    ...OBJECT,
    ...all(
      ['action', 'count', 'eventTime', 'firstTimestamp', 'message', 'related', 'series'],
      TOLD,
    ),
    reportingInstance: TOLD,
    ...all(['involvedObject', 'reason', 'reportingComponent', 'source', 'type'], SELECTED),
    // As events.k8s.io calls them.
    ...all(['deprecatedCount', 'deprecatedFirstTimestamp', 'note'], TOLD),
    ...all(
      ['deprecatedLastTimestamp', 'deprecatedSource', 'regarding', 'reportingController'],
      VIEWED,
    ),
    lastTimestamp: shown(
      'control-plane/api-server/api-handler.test.ts: forgets events an hour after they last',
    ),
  },
  EventSource: { component: SELECTED, host: TOLD },
  ObjectReference: all(
    ['apiVersion', 'fieldPath', 'kind', 'name', 'namespace', 'resourceVersion', 'uid'],
    SELECTED,
  ),
  RuntimeClass: {
    ...OBJECT,
    handler: shown(
      'node-agent/containers/pod-sandbox.test.ts: makes none for a class whose runtime the node has not',
    ),
    ...all(['overhead', 'scheduling'], CLASS),
  },
  Overhead: { podFixed: CLASS },
  Scheduling: { ...all(['nodeSelector', 'tolerations'], CLASS) },
  PriorityClass: {
    ...OBJECT,
    description: TOLD,
    globalDefault: shown(PRIORITY('gives a pod without class the default')),
    preemptionPolicy: shown(
      PRIORITY('gives a pod the priority of its class'),
      'control-plane/scheduler/preemption.test.ts: does not evict %s, and says so',
    ),
    value: shown(PRIORITY('gives a pod the priority of its class')),
  },
};
