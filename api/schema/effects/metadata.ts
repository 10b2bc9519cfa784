import { all, kept, shown, tests, type Effects, type FieldEffect } from './effect';

const REST = tests('control-plane/api-server/rest/rest-api.test.ts');
const GARBAGE = tests('test/simulation/garbage-collection.test.ts');
const OWNERS = 'control-plane/api-server/rest/apply.test.ts: may hand one manager';

/** What every object has. */
export const OBJECT: Readonly<Record<string, FieldEffect>> = {
  ...all(['apiVersion', 'kind'], shown(REST('another kind'), REST('another version'))),
  metadata: shown(REST('stores the object with what the server adds')),
};

export const STATUS: FieldEffect = kept('what is observed, written through the status alone');

export const METADATA_EFFECTS: Effects = {
  ObjectMeta: {
    annotations: shown(
      'node-agent/pods/pod-updates.test.ts: shows changed labels and annotations in downward API',
    ),
    ...all(
      ['creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds'],
      kept('the server writes it'),
    ),
    finalizers: shown(
      'control-plane/api-server/objects/deletion.test.ts: waits for the last finalizer',
    ),
    generateName: shown(REST('makes a name from generateName')),
    generation: kept('the server writes it'),
    labels: shown(
      'control-plane/api-server/rest/list.test.ts: selects by labels and fields, page by page',
    ),
    managedFields: shown(OWNERS),
    name: shown(REST('refuses a second object of the name')),
    namespace: shown(REST('another namespace')),
    ownerReferences: shown(GARBAGE('deletes what a deployment made after it')),
    resourceVersion: shown(REST('refuses an update of an older version')),
    selfLink: kept('deprecated, and written by nobody, as upstream'),
    uid: shown(REST('refuses an update meant for another object of the name')),
  },
  OwnerReference: {
    ...all(
      ['apiVersion', 'kind', 'name', 'uid'],
      shown(GARBAGE('a reference whose uid is that of a stranger')),
    ),
    controller: shown(GARBAGE('deletes what a deployment made after it')),
    blockOwnerDeletion: shown(
      GARBAGE('deletes a deployment in the foreground only once its pods are gone'),
    ),
  },
  ManagedFieldsEntry: all(
    ['apiVersion', 'fieldsType', 'fieldsV1', 'manager', 'operation', 'subresource', 'time'],
    shown('api/ownership/ownership.test.ts: come back from the wire, appliers first', OWNERS),
  ),
  LabelSelector: all(
    ['matchExpressions', 'matchLabels'],
    shown('api/selectors.test.ts: matches: %s'),
  ),
  LabelSelectorRequirement: all(
    ['key', 'operator', 'values'],
    shown('api/selectors.test.ts: matches: %s'),
  ),
};
