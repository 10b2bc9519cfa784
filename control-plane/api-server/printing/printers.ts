import type { SchedulingDecision, PodExplanation } from '../../../api/decisions';
import { formatLabelSelector } from '../../../api/selectors';
import type { ApiObject, Node } from '../../../api/types';
import { fieldsAt, listAt, numberAt, textAt, valueAt } from '../kinds/mutable';
import { ageOf } from './ages';
import { AGE, count, NAME, orNone, printer, text, wide, type ColumnRule } from './columns';

const CONTAINERS: ColumnRule = wide('Containers', (object) => containers(object, 'name'));
const IMAGES: ColumnRule = wide('Images', (object) => containers(object, 'image'));
const SELECTOR: ColumnRule = wide('Selector', (object) =>
  formatLabelSelector(fieldsAt(object, 'spec', 'selector')),
);

export const NAMESPACE_PRINTER = printer(
  NAME,
  text('Status', (object) => textAt(object, 'status', 'phase')),
  AGE,
);

export const DEPLOYMENT_PRINTER = printer(
  NAME,
  text(
    'Ready',
    (object) =>
      `${numberAt(object, 'status', 'readyReplicas')}/${numberAt(object, 'spec', 'replicas')}`,
  ),
  count('Up-to-date', (object) => numberAt(object, 'status', 'updatedReplicas')),
  count('Available', (object) => numberAt(object, 'status', 'availableReplicas')),
  AGE,
  CONTAINERS,
  IMAGES,
  SELECTOR,
);

export const REPLICA_SET_PRINTER = printer(
  NAME,
  count('Desired', (object) => numberAt(object, 'spec', 'replicas')),
  count('Current', (object) => numberAt(object, 'status', 'replicas')),
  count('Ready', (object) => numberAt(object, 'status', 'readyReplicas')),
  AGE,
  CONTAINERS,
  IMAGES,
  SELECTOR,
);

export const CONFIG_MAP_PRINTER = printer(
  NAME,
  count('Data', (object) => keyCount(object, 'data') + keyCount(object, 'binaryData')),
  AGE,
);

export const SECRET_PRINTER = printer(
  NAME,
  text('Type', (object) => textAt(object, 'type')),
  count('Data', (object) => keyCount(object, 'data')),
  AGE,
);

export const LEASE_PRINTER = printer(
  NAME,
  text('Holder', (object) => textAt(object, 'spec', 'holderIdentity')),
  AGE,
);

export const NODE_PRINTER = printer(
  NAME,
  text('Status', (object) => nodeStatus(object as Node)),
  text('Roles', nodeRoles),
  AGE,
  text('Version', (object) => textAt(object, 'status', 'nodeInfo', 'kubeletVersion')),
  wide('Internal-IP', (object) => nodeAddress(object, 'InternalIP')),
  wide('External-IP', (object) => nodeAddress(object, 'ExternalIP')),
  wide('OS-Image', (object) => orUnknown(textAt(object, 'status', 'nodeInfo', 'osImage'))),
  wide('Kernel-Version', nodeKernel),
  wide('Container-Runtime', (object) =>
    orUnknown(textAt(object, 'status', 'nodeInfo', 'containerRuntimeVersion')),
  ),
);

export const EVENT_PRINTER = printer(
  text('Last Seen', (event, nowMs) =>
    ageOf(
      fieldsAt(event, 'series')['lastObservedTime'] ??
        firstTime(event, 'lastTimestamp', 'firstTimestamp', 'eventTime'),
      nowMs,
    ),
  ),
  text('Type', (event) => textAt(event, 'type')),
  text('Reason', (event) => textAt(event, 'reason')),
  text('Object', eventObject),
  wide('Subobject', (event) => textAt(event, 'involvedObject', 'fieldPath')),
  wide('Source', eventSource),
  text('Message', (event) => textAt(event, 'message').trim()),
  wide('First Seen', (event, nowMs) =>
    ageOf(firstTime(event, 'firstTimestamp', 'eventTime'), nowMs),
  ),
  count(
    'Count',
    (event) => numberAt(event, 'series', 'count') || Math.max(1, numberAt(event, 'count')),
    1,
  ),
  wide('Name', ({ metadata }) => metadata.name),
);

const decision = (object: ApiObject): SchedulingDecision => object as SchedulingDecision;

export const PRIORITY_CLASS_PRINTER = printer(
  NAME,
  count('Value', (object) => numberAt(object, 'value')),
  text('Global-Default', (object) => String(valueAt(object, 'globalDefault') === true)),
  AGE,
  text('PreemptionPolicy', (object) => textAt(object, 'preemptionPolicy')),
);

export const ROLE_PRINTER = printer(
  NAME,
  text('Created At', ({ metadata }) => metadata.creationTimestamp ?? '<unknown>'),
);

const subjectsOf = (object: ApiObject, kind: string): string =>
  listAt(object, 'subjects')
    .filter((subject) => textAt(subject, 'kind') === kind)
    .map((subject) => {
      const namespace = textAt(subject, 'namespace');
      return `${namespace === '' ? '' : `${namespace}/`}${textAt(subject, 'name')}`;
    })
    .join(', ');

export const BINDING_PRINTER = printer(
  NAME,
  text(
    'Role',
    (object) => `${textAt(object, 'roleRef', 'kind')}/${textAt(object, 'roleRef', 'name')}`,
  ),
  AGE,
  wide('Users', (object) => subjectsOf(object, 'User')),
  wide('Groups', (object) => subjectsOf(object, 'Group')),
  wide('ServiceAccounts', (object) => subjectsOf(object, 'ServiceAccount')),
);

export const DECISION_PRINTER = printer(
  NAME,
  text('Pod', (object) => decision(object).spec.podName),
  text('Outcome', (object) => decision(object).status.outcome),
  text('Node', (object) => orNone(decision(object).status.nodeName ?? '')),
  text('Feasible', (object) => {
    const { nodesFeasible, nodesConsidered } = decision(object).status;
    return `${nodesFeasible}/${nodesConsidered}`;
  }),
  text('Margin', (object) => {
    const { margin } = decision(object).status;
    return margin === undefined ? '<none>' : String(margin);
  }),
  text('Decided-By', (object) => orNone(decision(object).status.decidedBy ?? '')),
  text('Age', (object, nowMs) => ageOf(decision(object).spec.time, nowMs)),
  count('Attempt', (object) => decision(object).spec.attempt, 1),
  wide('Trigger', (object) => decision(object).spec.trigger),
  text('Message', (object) => decision(object).status.message),
);

export const EXPLANATION_PRINTER = printer(
  NAME,
  text('Node', (object) => orNone((object as PodExplanation).status.nodeName ?? '')),
  text('Queue', (object) => orNone((object as PodExplanation).status.queue ?? '')),
  count('Attempts', (object) => (object as PodExplanation).status.attempts),
  text('Suggestion', (object) => orNone((object as PodExplanation).status.suggestion ?? '')),
);

const containers = (object: ApiObject, field: string): string =>
  listAt(object, 'spec', 'template', 'spec', 'containers')
    .map((container) => textAt(container, field))
    .join(',');

const keyCount = (object: ApiObject, field: string): number =>
  Object.keys(fieldsAt(object, field)).length;

const nodeStatus = ({ spec, status }: Node): string => {
  const ready = status.conditions?.find(({ type }) => type === 'Ready');
  const word = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
  return spec.unschedulable === true ? `${word},SchedulingDisabled` : word;
};

function nodeRoles({ metadata }: ApiObject): string {
  const roles = Object.entries(metadata.labels ?? {}).flatMap(([key, value]) => {
    if (key.startsWith(ROLE_PREFIX)) return [key.slice(ROLE_PREFIX.length)];
    return key === 'kubernetes.io/role' ? [value] : [];
  });
  return orNone([...new Set(roles.filter((role) => role !== ''))].sort().join(','));
}

const nodeAddress = (node: ApiObject, wanted: string): string =>
  orNone(
    listAt(node, 'status', 'addresses')
      .filter((address) => textAt(address, 'type') === wanted)
      .map((address) => textAt(address, 'address'))[0] ?? '',
  );

function nodeKernel(node: ApiObject): string {
  const kernel = textAt(node, 'status', 'nodeInfo', 'kernelVersion');
  const architecture = textAt(node, 'status', 'nodeInfo', 'architecture');
  if (kernel === '') return '<unknown>';
  return architecture === '' ? kernel : `${kernel} (${architecture})`;
}

const orUnknown = (value: string): string => (value === '' ? '<unknown>' : value);

function eventObject(event: ApiObject): string {
  const kind = textAt(event, 'involvedObject', 'kind').toLowerCase();
  const name = textAt(event, 'involvedObject', 'name');
  return name === '' ? kind : `${kind}/${name}`;
}

function eventSource(event: ApiObject): string {
  const component = textAt(event, 'source', 'component') || textAt(event, 'reportingComponent');
  const host = textAt(event, 'source', 'host') || textAt(event, 'reportingInstance');
  return host === '' ? component : `${component}, ${host}`;
}

const firstTime = (event: ApiObject, ...fields: readonly string[]): string | undefined =>
  fields.map((field) => textAt(event, field)).find((time) => time !== '');

const ROLE_PREFIX = 'node-role.kubernetes.io/';
