import {
  CONFIG_MAPS,
  DEPLOYMENTS,
  EVENTS,
  LEASES,
  NAMESPACES,
  NODES,
  PODS,
  REPLICA_SETS,
  SECRETS,
  SERVICE_ACCOUNTS,
  type Resource,
} from '../../../api/resources';
import type { VirtualResource } from '../../../client/virtual-resource';
import { NAME_AND_AGE } from '../printing/columns';
import { POD_PRINTER } from '../printing/pods';
import {
  CONFIG_MAP_PRINTER,
  DECISION_PRINTER,
  DEPLOYMENT_PRINTER,
  EVENT_PRINTER,
  EXPLANATION_PRINTER,
  LEASE_PRINTER,
  NAMESPACE_PRINTER,
  NODE_PRINTER,
  REPLICA_SET_PRINTER,
  SECRET_PRINTER,
} from '../printing/printers';
import { textAt } from './mutable';
import { ALL_VERBS, type Printer, type ServedKind } from './served-kind';
import { NAMESPACE_STRATEGY, PLAIN, podGraceSeconds, preparePod, WITH_SPEC } from './strategies';

/** Every stored kind, in the order of discovery. */
export const STORED_KINDS: readonly ServedKind[] = [
  kind(CONFIG_MAPS, CONFIG_MAP_PRINTER, { shortNames: ['cm'] }),
  kind(EVENTS, EVENT_PRINTER, {
    shortNames: ['ev'],
    strategy: { ...PLAIN, createsOnUpdate: true },
    fields: {
      'involvedObject.kind': (event) => textAt(event, 'involvedObject', 'kind'),
      'involvedObject.namespace': (event) => textAt(event, 'involvedObject', 'namespace'),
      'involvedObject.name': (event) => textAt(event, 'involvedObject', 'name'),
      'involvedObject.uid': (event) => textAt(event, 'involvedObject', 'uid'),
      'involvedObject.apiVersion': (event) => textAt(event, 'involvedObject', 'apiVersion'),
      'involvedObject.resourceVersion': (event) =>
        textAt(event, 'involvedObject', 'resourceVersion'),
      'involvedObject.fieldPath': (event) => textAt(event, 'involvedObject', 'fieldPath'),
      reason: (event) => textAt(event, 'reason'),
      reportingComponent: (event) => textAt(event, 'reportingComponent'),
      source: (event) => textAt(event, 'source', 'component'),
      type: (event) => textAt(event, 'type'),
    },
  }),
  kind(NAMESPACES, NAMESPACE_PRINTER, {
    shortNames: ['ns'],
    verbs: ALL_VERBS.filter((verb) => verb !== 'deletecollection'),
    subresources: ['finalize', 'status'],
    strategy: NAMESPACE_STRATEGY,
    fields: { 'status.phase': (namespace) => textAt(namespace, 'status', 'phase') },
  }),
  kind(NODES, NODE_PRINTER, {
    shortNames: ['no'],
    subresources: ['status'],
    strategy: { ...PLAIN, hasStatus: true },
    fields: { 'spec.unschedulable': (node) => textAt(node, 'spec', 'unschedulable') || 'false' },
  }),
  kind(PODS, POD_PRINTER, {
    shortNames: ['po'],
    categories: ['all'],
    subresources: ['attach', 'binding', 'eviction', 'exec', 'log', 'portforward', 'status'],
    strategy: { ...WITH_SPEC, prepareCreate: preparePod, graceSeconds: podGraceSeconds },
    fields: {
      'spec.nodeName': (pod) => textAt(pod, 'spec', 'nodeName'),
      'spec.restartPolicy': (pod) => textAt(pod, 'spec', 'restartPolicy'),
      'spec.schedulerName': (pod) => textAt(pod, 'spec', 'schedulerName'),
      'spec.serviceAccountName': (pod) => textAt(pod, 'spec', 'serviceAccountName'),
      'spec.hostNetwork': (pod) => textAt(pod, 'spec', 'hostNetwork') || 'false',
      'status.phase': (pod) => textAt(pod, 'status', 'phase'),
      'status.podIP': (pod) => textAt(pod, 'status', 'podIP'),
      'status.nominatedNodeName': (pod) => textAt(pod, 'status', 'nominatedNodeName'),
    },
  }),
  kind(SECRETS, SECRET_PRINTER, { fields: { type: (secret) => textAt(secret, 'type') } }),
  kind(SERVICE_ACCOUNTS, NAME_AND_AGE, { shortNames: ['sa'] }),
  kind(DEPLOYMENTS, DEPLOYMENT_PRINTER, {
    shortNames: ['deploy'],
    categories: ['all'],
    subresources: ['scale', 'status'],
    strategy: WITH_SPEC,
  }),
  kind(REPLICA_SETS, REPLICA_SET_PRINTER, {
    shortNames: ['rs'],
    categories: ['all'],
    subresources: ['scale', 'status'],
    strategy: WITH_SPEC,
    fields: { 'status.replicas': (set) => textAt(set, 'status', 'replicas') || '0' },
  }),
  kind(LEASES, LEASE_PRINTER, { strategy: { ...PLAIN, createsOnUpdate: true } }),
];

/** A read-only kind whose owner answers. */
export const virtualKind = (virtual: VirtualResource): ServedKind => {
  const isListed = virtual.list !== undefined;
  return {
    ...kind(virtual.resource, VIRTUAL_PRINTERS.get(virtual.resource.kind) ?? NAME_AND_AGE, {
      verbs: isListed ? ['get', 'list', 'watch'] : ['get'],
      shortNames: VIRTUAL_SHORT_NAMES.get(virtual.resource.kind) ?? [],
      fields: {
        'spec.podName': (object) => textAt(object, 'spec', 'podName'),
        'status.outcome': (object) => textAt(object, 'status', 'outcome'),
        'status.nodeName': (object) => textAt(object, 'status', 'nodeName'),
      },
    }),
    virtual,
  };
};

function kind(
  resource: Resource,
  rowPrinter: Printer,
  more: Partial<Omit<ServedKind, 'resource' | 'printer'>> = {},
): ServedKind {
  return {
    resource,
    singular: resource.kind.toLowerCase(),
    shortNames: [],
    categories: [],
    verbs: ALL_VERBS,
    subresources: [],
    strategy: PLAIN,
    fields: {},
    printer: rowPrinter,
    ...more,
  };
}

const VIRTUAL_PRINTERS: ReadonlyMap<string, Printer> = new Map([
  ['SchedulingDecision', DECISION_PRINTER],
  ['PodExplanation', EXPLANATION_PRINTER],
]);

const VIRTUAL_SHORT_NAMES: ReadonlyMap<string, readonly string[]> = new Map([
  ['SchedulingDecision', ['decision', 'decisions']],
]);
