import { NODE_KIND } from '../../../api/kinds/node';
import { readyCondition } from '../../../api/nodes';
import type { ApiObject, Node } from '../../../api/types';
import { AGE, NAME, orNone, printer, text, wide } from '../printing/columns';
import { listAt, textAt, type MutableObject } from './mutable';
import { serveKind, type Strategy } from './served-kind';

const STRATEGY: Strategy = {
  hasGeneration: false,
  hasStatus: true,
  createsOnUpdate: false,
  prepareCreate: (node) => keepOldLabels(node),
  prepareUpdate: (node) => keepOldLabels(node),
};

/** Selectors written long ago still find their nodes. */
const keepOldLabels = ({ metadata }: MutableObject): void => {
  for (const name of ['arch', 'os']) {
    const value = metadata.labels?.[`kubernetes.io/${name}`];
    if (value !== undefined)
      metadata.labels = { ...metadata.labels, [`beta.kubernetes.io/${name}`]: value };
  }
};

const PRINTER = printer(
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

const nodeStatus = (node: Node): string => {
  const ready = readyCondition(node);
  const word = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
  return node.spec.unschedulable === true ? `${word},SchedulingDisabled` : word;
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

const ROLE_PREFIX = 'node-role.kubernetes.io/';

export const NODE = serveKind(NODE_KIND, { strategy: STRATEGY, printer: PRINTER });
