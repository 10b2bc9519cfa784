import { IMAGE_LAYERS_ANNOTATION } from '../../../api/image-layers';
import { RUNTIME_HANDLER_ANNOTATION } from '../../../api/runtime-handlers';
import type { Node, Pod, PodDisruptionBudget } from '../../../api/types';
import { BIND_COMPLETED, CLASS_BETA, SELECTED_NODE } from '../../../api/volumes';
import type { PodVolumes } from '../volumes/pod-volumes';

/** The fields to keep, of each element where there is a list; `true`: all that is below. */
type Mask = true | { readonly [field: string]: Mask };

/** Of an object that is captured only what is named here goes on: what scheduling reads, and no more. */
const kept = (value: unknown, mask: Mask): unknown => {
  if (mask === true || typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((each) => kept(each, mask));
  const from = value as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    Object.entries(mask).flatMap(([field, below]) =>
      Object.hasOwn(from, field) ? [[field, kept(from[field], below)]] : [],
    ),
  );
};

export const keptPod = (pod: Pod): Pod => kept(pod, POD) as Pod;
export const keptNode = (node: Node): Node => kept(node, NODE) as Node;
export const keptBudget = (budget: PodDisruptionBudget): PodDisruptionBudget =>
  kept(budget, BUDGET) as PodDisruptionBudget;
export const keptVolumes = (volumes: PodVolumes): PodVolumes =>
  kept(volumes, POD_VOLUMES) as PodVolumes;

const fields = (...names: readonly string[]): { readonly [field: string]: true } =>
  Object.fromEntries(names.map((name) => [name, true as const]));

const TYPE = fields('apiVersion', 'kind');
const NAMED = fields('name', 'namespace', 'uid', 'labels');

const CONTAINER: Mask = {
  ...fields('name', 'image', 'resources', 'restartPolicy'),
  ports: fields('containerPort', 'hostPort', 'hostIP', 'protocol'),
};
const CONTAINER_STATUS = fields('name', 'resources', 'allocatedResources');

const POD: Mask = {
  ...TYPE,
  metadata: {
    ...fields(...Object.keys(NAMED), 'creationTimestamp', 'deletionTimestamp'),
    ownerReferences: fields('apiVersion', 'kind', 'name', 'uid', 'controller'),
    annotations: fields(RUNTIME_HANDLER_ANNOTATION),
  },
  spec: {
    ...fields('nodeName', 'schedulerName', 'priority', 'preemptionPolicy', 'nodeSelector'),
    ...fields('affinity', 'tolerations', 'topologySpreadConstraints', 'schedulingGates'),
    ...fields('overhead', 'resources', 'hostNetwork', 'runtimeClassName'),
    ...{ containers: CONTAINER, initContainers: CONTAINER },
    volumes: { name: true, persistentVolumeClaim: fields('claimName'), ephemeral: {} },
  },
  status: {
    ...fields('phase', 'startTime', 'nominatedNodeName', 'resources', 'allocatedResources'),
    ...{ containerStatuses: CONTAINER_STATUS, initContainerStatuses: CONTAINER_STATUS },
    conditions: fields('type', 'status', 'reason'),
  },
};

const NODE: Mask = {
  ...TYPE,
  metadata: {
    ...fields('name', 'uid', 'labels'),
    annotations: fields(IMAGE_LAYERS_ANNOTATION),
  },
  spec: fields('unschedulable', 'taints'),
  status: { allocatable: true, images: fields('names', 'sizeBytes'), runtimeHandlers: true },
};

const BUDGET: Mask = {
  ...TYPE,
  metadata: fields('name', 'namespace', 'uid'),
  spec: fields('selector'),
  status: fields('disruptedPods', 'disruptionsAllowed'),
};

const CLAIM: Mask = {
  ...TYPE,
  metadata: { ...NAMED, annotations: fields(SELECTED_NODE, BIND_COMPLETED, CLASS_BETA) },
  spec: fields(
    'accessModes',
    'resources',
    'selector',
    'storageClassName',
    'volumeMode',
    'volumeName',
  ),
  status: fields('phase'),
};

const VOLUME: Mask = {
  ...TYPE,
  metadata: {
    ...fields('name', 'uid', 'labels', 'deletionTimestamp'),
    annotations: fields(CLASS_BETA),
  },
  spec: {
    ...fields('accessModes', 'capacity', 'nodeAffinity', 'storageClassName', 'volumeMode'),
    claimRef: fields('namespace', 'name', 'uid'),
  },
  status: fields('phase'),
};

const CLASS: Mask = {
  ...TYPE,
  metadata: fields('name'),
  ...fields('provisioner', 'volumeBindingMode', 'allowedTopologies'),
};

const POD_VOLUMES: Mask = {
  problem: true,
  bound: { claim: CLAIM, volume: VOLUME },
  delayed: {
    ...{ claim: CLAIM, storageClass: CLASS, candidates: VOLUME, nodeName: true },
    capacities: {
      ...TYPE,
      metadata: fields('name', 'namespace'),
      ...fields('nodeTopology', 'storageClassName', 'capacity', 'maximumVolumeSize'),
    },
  },
  taken: CLAIM,
};
