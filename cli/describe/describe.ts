import { isOfKind } from '../../api/owners';
import {
  CLUSTER_ROLE_BINDINGS,
  CLUSTER_ROLES,
  CONFIG_MAPS,
  CRON_JOBS,
  DAEMON_SETS,
  DEPLOYMENTS,
  ENDPOINT_SLICES,
  ENDPOINTS,
  HORIZONTAL_POD_AUTOSCALERS,
  INGRESS_CLASSES,
  INGRESSES,
  LIMIT_RANGES,
  NAMESPACES,
  NETWORK_POLICIES,
  NODES,
  POD_DISRUPTION_BUDGETS,
  PODS,
  REPLICA_SETS,
  REPLICATION_CONTROLLERS,
  RESOURCE_QUOTAS,
  ROLE_BINDINGS,
  ROLES,
  SECRETS,
  SERVICES,
  type Resource,
} from '../../api/resources';
import type {
  ApiObject,
  ClusterRole,
  ClusterRoleBinding,
  EndpointSlice,
  Event,
  Pod,
  Role,
  RoleBinding,
  Service,
} from '../../api/types';
import { formatAge } from '../../lib/age';
import { stringifyJson } from '../../lib/json';
import { lastSeenMs } from '../event-times';
import { formatTable } from '../output/table';
import { printable } from '../output/terminal';
import { describeBinding, describeRole } from './access';
import { describeAutoscaler } from './autoscaler';
import { describeConfigMap, describeSecret } from './data';
import { ingressClassRows, ingressRows } from './ingress';
import { describeLimits, describeQuota } from './limits';
import { describeNamespace, type InNamespace } from './namespace';
import {
  endpointSliceRows,
  endpointsRows,
  networkPolicyRows,
  serviceRows,
  type Rows,
} from './network';
import { describeNode } from './node';
import { describeNotEndpoints } from './not-endpoints';
import { describePod } from './pod';
import { describeDeployment } from './deployment';
import { describeBudget, describeCronJob, describeDaemonSet, describeReplicas } from './workloads';
import { tabbed } from './tabbed';
import { DescribeWriter } from './writer';

/** What the description of an object draws on besides itself. */
export interface Surroundings {
  readonly events: readonly Event[];
  /** Of a node: those on it. Of a service: those of its namespace. Of a workload: those that it selects. */
  readonly pods: readonly Pod[];
  /** Of a service: its own. Of an ingress: those of its namespace. */
  readonly slices?: readonly EndpointSlice[];
  /** Of an ingress: those of its namespace. */
  readonly services?: readonly Service[];
  /** Of a namespace. */
  readonly within?: InNamespace;
  readonly nowMs: number;
}

/** An object for a person to read, with what happened to it lately. */
export const describeObject = (object: ApiObject, around: Surroundings): string => {
  const table = WHOLE.find(([resource]) => isOfKind(object, resource))?.[1];
  if (table !== undefined) return table(object, around);
  const writer = new DescribeWriter();
  writer.field(0, 'Name', object.metadata.name);
  if (object.metadata.namespace !== undefined) {
    writer.field(0, 'Namespace', object.metadata.namespace);
  }
  const describe = DESCRIPTIONS.find(([resource]) => isOfKind(object, resource))?.[1];
  (describe ?? describeAny)(writer, object, around);
  describeEvents(writer, around);
  return writer.toString();
};

type Describe = (writer: DescribeWriter, object: ApiObject, around: Surroundings) => void;

const description = <T extends ApiObject>(
  resource: Resource<T>,
  describe: (writer: DescribeWriter, object: T, around: Surroundings) => void,
): readonly [Resource, Describe] => [
  resource,
  (writer, object, around) => describe(writer, object as T, around),
];

/** Kinds that are described in words of their own. */
const DESCRIPTIONS = [
  description(PODS, describePod),
  description(NODES, (writer, node, { pods }) => describeNode(writer, node, pods)),
  description(DEPLOYMENTS, describeDeployment),
  description(HORIZONTAL_POD_AUTOSCALERS, describeAutoscaler),
];

const whole = <T extends ApiObject>(
  resource: Resource<T>,
  describe: (object: T, around: Surroundings) => string,
): readonly [Resource, (object: ApiObject, around: Surroundings) => string] => [
  resource,
  (object, around) => describe(object as T, around),
];

/** Kinds that are all one table. */
const WHOLE = [
  whole(RESOURCE_QUOTAS, describeQuota),
  whole(LIMIT_RANGES, describeLimits),
  whole(REPLICA_SETS, describeReplicas),
  whole(REPLICATION_CONTROLLERS, describeReplicas),
  whole(DAEMON_SETS, describeDaemonSet),
  whole(POD_DISRUPTION_BUDGETS, describeBudget),
  whole(CRON_JOBS, describeCronJob),
  whole(SERVICES, describeService),
  whole(ENDPOINTS, (endpoints, around) => withEvents(endpointsRows(endpoints), around)),
  whole(ENDPOINT_SLICES, (slice, around) => withEvents(endpointSliceRows(slice), around)),
  whole(INGRESSES, (ingress, around) => {
    const { services = [], slices = [] } = around;
    return withEvents(ingressRows(ingress, { services, slices }), around);
  }),
  whole(INGRESS_CLASSES, (one, around) => withEvents(ingressClassRows(one), around)),
  whole(CONFIG_MAPS, (map, around) => describeConfigMap(map) + eventsOf(around)),
  whole(SECRETS, describeSecret),
  whole(NAMESPACES, (one, { within }) =>
    describeNamespace(one, within ?? { quotas: [], limits: [] }),
  ),
  ...[ROLES, CLUSTER_ROLES].map((roles) => whole<Role | ClusterRole>(roles, describeRole)),
  ...[ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS].map((bindings) =>
    whole<RoleBinding | ClusterRoleBinding>(bindings, describeBinding),
  ),
  whole(NETWORK_POLICIES, (policy) => tabbed(networkPolicyRows(policy))),
];

/** As kubectl, and who is kept from being behind it. */
function describeService(service: Service, around: Surroundings): string {
  const more = new DescribeWriter();
  describeNotEndpoints(more, service, around.pods);
  return withEvents(serviceRows(service, around.slices ?? []), around, more);
}

function withEvents(rows: Rows, around: Surroundings, more = new DescribeWriter()): string {
  if (more.toString() === '' && around.events.length === 0)
    return tabbed([...rows, ['Events:', '<none>']]);
  describeEvents(more, around);
  return tabbed(rows) + more.toString();
}

function eventsOf(around: Surroundings): string {
  const writer = new DescribeWriter();
  describeEvents(writer, around);
  return writer.toString();
}

const describeAny = (writer: DescribeWriter, object: ApiObject): void => {
  const { apiVersion, kind, metadata, ...rest } = object;
  writer.pairs(0, 'Labels', metadata.labels);
  writer.annotations(metadata.annotations);
  writer.field(0, 'API Version', apiVersion);
  writer.field(0, 'Kind', kind);
  writer.field(0, 'Created', metadata.creationTimestamp ?? undefined);
  for (const [name, value] of Object.entries(rest)) writeValue(writer, 0, titleOf(name), value);
};

/** Any value as nested lines. */
const writeValue = (writer: DescribeWriter, depth: number, name: string, value: unknown): void => {
  if (typeof value !== 'object' || value === null) {
    const text = typeof value === 'string' ? value : stringifyJson(value);
    writer.text(depth, name, text);
    return;
  }
  writer.heading(depth, name);
  // Names of fields read better as titles.
  const titled = MAPS_OF_USERS.has(name) ? (key: string) => key : titleOf;
  const entries: [string, unknown][] = Array.isArray(value)
    ? value.map((item, i) => [`[${i}]`, item as unknown])
    : Object.entries(value).map(([key, inner]) => [titled(key), inner]);
  for (const [key, inner] of entries) {
    writeValue(writer, depth + 1, key, inner);
  }
};

const titleOf = (field: string): string => field.charAt(0).toUpperCase() + field.slice(1);

/** Fields whose keys are no fields, but words of the object's author: labels, names of resources. */
const MAPS_OF_USERS: ReadonlySet<string> = new Set([
  ...['Annotations', 'BinaryData', 'Data', 'Labels', 'MatchLabels', 'NodeSelector'],
  ...['Allocatable', 'Capacity', 'Hard', 'Limits', 'Overhead', 'Requests', 'Used'],
]);

const describeEvents = (writer: DescribeWriter, { events, nowMs }: Surroundings): void => {
  if (events.length === 0) {
    writer.field(0, 'Events', '<none>');
    return;
  }
  writer.heading(0, 'Events');
  const rows = [...events]
    .sort((a, b) => lastSeenMs(a) - lastSeenMs(b))
    .map((event) => [
      event.type ?? '',
      event.reason ?? '',
      formatAge(nowMs - lastSeenMs(event)) +
        ((event.count ?? 1) > 1 ? ` (x${event.count ?? 1})` : ''),
      event.source?.component ?? event.reportingComponent ?? '',
      printable(event.message ?? '').trim(),
    ]);
  writer.raw(1, formatTable(['Type', 'Reason', 'Age', 'From', 'Message'], rows));
};
