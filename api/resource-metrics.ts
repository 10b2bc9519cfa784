import type { Resource } from './resources';
import type { Schema } from './schema/schema';
import type { ApiObject } from './types';

/** What is used, as quantities, by `cpu` and `memory`. */
export type ResourceUsage = Readonly<Record<string, string>>;

interface Measured extends ApiObject {
  /** The end of the time that was measured, RFC 3339. */
  readonly timestamp: string;
  /** How long that was, as Go writes durations. */
  readonly window: string;
}

export interface NodeMetrics extends Measured {
  readonly usage: ResourceUsage;
}

export interface PodMetrics extends Measured {
  readonly containers: readonly { readonly name: string; readonly usage: ResourceUsage }[];
}

export const METRICS_GROUP = 'metrics.k8s.io';
const VERSION = 'v1beta1';
const PACKAGE = 'io.k8s.metrics.pkg.apis.metrics.v1beta1';

const described = (description: string, rest: Schema): Schema => ({ ...rest, description });

const QUANTITY: Schema = {
  $ref: '#/components/schemas/io.k8s.apimachinery.pkg.api.resource.Quantity',
};
const usage = (what: string): Schema => ({
  type: 'object',
  description: `What ${what} uses: processors on average over the window, and memory at its end.`,
  additionalProperties: QUANTITY,
});

const schemaOf = (kind: string, description: string, own: Readonly<Record<string, Schema>>) => ({
  type: 'object' as const,
  description,
  properties: {
    apiVersion: described('The version of the schema of this object.', { type: 'string' }),
    kind: described('What this object is.', { type: 'string' }),
    metadata: { $ref: '#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' },
    timestamp: described('The end of the time that was measured.', {
      type: 'string',
      format: 'date-time',
    }),
    window: described('How long that was.', { type: 'string' }),
    ...own,
  },
  required: ['timestamp', 'window', ...Object.keys(own)],
  'x-kubernetes-group-version-kind': [{ group: METRICS_GROUP, kind, version: VERSION }],
});

const CONTAINERS: Schema = {
  type: 'array',
  description: 'Each container that runs.',
  items: {
    type: 'object',
    description: 'One container.',
    properties: {
      name: described('Its name in the pod.', { type: 'string' }),
      usage: usage('the container'),
    },
    required: ['name', 'usage'],
  },
};

export const NODE_METRICS: Resource<NodeMetrics> = {
  ...{ group: METRICS_GROUP, version: VERSION, kind: 'NodeMetrics', plural: 'nodes' },
  isNamespaced: false,
  definition: {
    name: `${PACKAGE}.NodeMetrics`,
    schema: schemaOf('NodeMetrics', 'What a node uses.', { usage: usage('the node') }),
  },
};

export const POD_METRICS: Resource<PodMetrics> = {
  ...{ group: METRICS_GROUP, version: VERSION, kind: 'PodMetrics', plural: 'pods' },
  isNamespaced: true,
  definition: {
    name: `${PACKAGE}.PodMetrics`,
    schema: schemaOf('PodMetrics', 'What the containers of a pod use.', { containers: CONTAINERS }),
  },
};
