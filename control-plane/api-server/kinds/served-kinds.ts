import type { KindInfo } from '../../../api/kind-info';
import { kindOf, kinds } from '../../../api/scheme';
import type { VirtualResource } from '../../../client/virtual-resource';
import { NAME_AND_AGE } from '../printing/columns';
import { POD_PRINTER } from '../printing/pods';
import {
  BINDING_PRINTER,
  CONFIG_MAP_PRINTER,
  DECISION_PRINTER,
  DEPLOYMENT_PRINTER,
  EVENT_PRINTER,
  EXPLANATION_PRINTER,
  LEASE_PRINTER,
  NAMESPACE_PRINTER,
  NODE_PRINTER,
  PRIORITY_CLASS_PRINTER,
  REPLICA_SET_PRINTER,
  ROLE_PRINTER,
  SECRET_PRINTER,
} from '../printing/printers';
import type { Printer, ServedKind, Strategy } from './served-kind';
import {
  NAMESPACE_STRATEGY,
  NODE_STRATEGY,
  PLAIN,
  podGraceSeconds,
  preparePod,
  WITH_SPEC,
} from './strategies';

/** Every kind that is kept in the store. */
export const storedKinds = (): readonly ServedKind[] =>
  kinds()
    .filter(({ verbs }) => verbs.includes('create'))
    .map(withServing);

/** A read-only kind whose owner answers. */
export const virtualKind = (virtual: VirtualResource): ServedKind => ({
  ...withServing(kindOf(virtual.resource) ?? unknownKind(virtual)),
  shortNames: VIRTUAL_SHORT_NAMES.get(virtual.resource.kind) ?? [],
  virtual,
});

const withServing = (info: KindInfo): ServedKind => ({
  ...info,
  subresources: info.subresources.filter((name) => SERVED_SUBRESOURCES.has(name)),
  strategy: STRATEGIES.get(info.resource.kind) ?? PLAIN,
  printer: PRINTERS.get(info.resource.kind) ?? NAME_AND_AGE,
});

const unknownKind = (virtual: VirtualResource): KindInfo => ({
  resource: virtual.resource,
  singular: virtual.resource.kind.toLowerCase(),
  shortNames: [],
  categories: [],
  verbs: virtual.list === undefined ? ['get'] : ['get', 'list', 'watch'],
  subresources: [],
  fields: {},
  rules: {
    applyDefaults: () => undefined,
    validateCreate: () => [],
    validateUpdate: () => [],
    validateStatusUpdate: () => [],
  },
});

/** Only what is answered is announced. */
const SERVED_SUBRESOURCES: ReadonlySet<string> = new Set([
  'status',
  'scale',
  'finalize',
  'binding',
  'eviction',
  'log',
  'exec',
  'attach',
  'token',
]);

/** What people type for Dhow's own kinds. */
const VIRTUAL_SHORT_NAMES: ReadonlyMap<string, readonly string[]> = new Map([
  ['SchedulingDecision', ['decisions', 'decision']],
]);

const STRATEGIES: ReadonlyMap<string, Strategy> = new Map<string, Strategy>([
  ['Namespace', NAMESPACE_STRATEGY],
  ['Node', NODE_STRATEGY],
  ['Pod', { ...WITH_SPEC, prepareCreate: preparePod, graceSeconds: podGraceSeconds }],
  ['Deployment', WITH_SPEC],
  ['ReplicaSet', WITH_SPEC],
  ['Event', { ...PLAIN, createsOnUpdate: true }],
  ['Lease', { ...PLAIN, createsOnUpdate: true }],
]);

const PRINTERS: ReadonlyMap<string, Printer> = new Map([
  ['Namespace', NAMESPACE_PRINTER],
  ['Node', NODE_PRINTER],
  ['Pod', POD_PRINTER],
  ['Deployment', DEPLOYMENT_PRINTER],
  ['ReplicaSet', REPLICA_SET_PRINTER],
  ['ConfigMap', CONFIG_MAP_PRINTER],
  ['Secret', SECRET_PRINTER],
  ['Lease', LEASE_PRINTER],
  ['Event', EVENT_PRINTER],
  ['PriorityClass', PRIORITY_CLASS_PRINTER],
  ['Role', ROLE_PRINTER],
  ['ClusterRole', ROLE_PRINTER],
  ['RoleBinding', BINDING_PRINTER],
  ['ClusterRoleBinding', BINDING_PRINTER],
  ['SchedulingDecision', DECISION_PRINTER],
  ['PodExplanation', EXPLANATION_PRINTER],
]);
