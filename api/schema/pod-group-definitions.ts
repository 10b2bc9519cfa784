import { count, map, object, text, list } from './describe';
import type { Definitions, Schema } from './schema';

/* PodGroup of scheduling.x-k8s.io, which upstream's scheduler-plugins declare: written by hand. */

const PREFIX = 'io.x-k8s.scheduling.v1alpha1.';
const META = 'io.k8s.apimachinery.pkg.apis.meta.v1.';

const ref = (name: string, description: string): Schema => ({
  description,
  allOf: [{ $ref: `#/components/schemas/${name}` }],
});
const gvk = (kind: string): Schema => ({
  'x-kubernetes-group-version-kind': [{ group: 'scheduling.x-k8s.io', kind, version: 'v1alpha1' }],
});
const TYPE = {
  apiVersion: text('APIVersion defines the versioned schema of this representation of an object.'),
  kind: text('Kind is the REST resource this object represents.'),
};

export const POD_GROUP_DEFINITIONS: Definitions = {
  [`${PREFIX}PodGroup`]: {
    ...object('A group of pods that are placed together or not at all.', {
      ...TYPE,
      metadata: ref(`${META}ObjectMeta`, "Standard object's metadata."),
      spec: ref(`${PREFIX}PodGroupSpec`, 'What the group needs before any of it runs.'),
      status: ref(`${PREFIX}PodGroupStatus`, 'How far the group has come.'),
    }),
    ...gvk('PodGroup'),
  },
  [`${PREFIX}PodGroupList`]: {
    ...object('A list of PodGroup objects.', {
      ...TYPE,
      items: list('The objects.', { allOf: [{ $ref: `#/components/schemas/${PREFIX}PodGroup` }] }),
      metadata: ref(`${META}ListMeta`, 'Standard list metadata.'),
    }),
    ...gvk('PodGroupList'),
  },
  [`${PREFIX}PodGroupSpec`]: object('What the group needs before any of it runs.', {
    minMember: count('How many of its pods must have a node at once.'),
    minResources: map('What its pods need together. Each pod is looked at by itself here.', {
      $ref: '#/components/schemas/io.k8s.apimachinery.pkg.api.resource.Quantity',
    }),
    scheduleTimeoutSeconds: {
      ...count('How long a group may be placed in part, as a crash may leave it. Default: 60.'),
      'x-go-presence': 'pointer',
    },
  }),
  [`${PREFIX}PodGroupStatus`]: object('How far the group has come.', {
    failed: count('How many of its pods have failed.'),
    occupiedBy: text('NAMESPACE/NAME of what owns its pods.'),
    phase: text('Pending, Scheduling, Scheduled, Running, Unknown, Finished or Failed.'),
    running: count('How many of its pods run.'),
    scheduleStartTime: {
      ...ref(`${META}Time`, 'Since when there are enough pods to place.'),
      'x-go-presence': 'null',
    },
    succeeded: count('How many of its pods have succeeded.'),
  }),
};
