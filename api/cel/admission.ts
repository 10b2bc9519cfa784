import { celEnvironment, type CelEnvironment } from './environment';
import { AUTHORIZER, RESOURCE_CHECK } from './library/authorizer';
import { JSON_PATCH_LIBRARY } from './library/json-patch';
import {
  BOOL,
  DYN,
  INT,
  listOf,
  mapOf,
  objectType,
  openObjectType,
  STRING,
  TIMESTAMP,
  type CelType,
  type ObjectType,
} from './types';

export interface AdmissionVariables {
  /** `params` is there: a policy names a kind for it. */
  readonly hasParams?: boolean;
  /** `authorizer` is there: not for messages. */
  readonly hasAuthorizer?: boolean;
  /** `variables`, of a policy. */
  readonly variables?: CelType;
  /** Patches can be made: `Object{…}` and what is in it, `JSONPatch{…}`. */
  readonly makesPatches?: boolean;
  /** Of `object` and `oldObject`, where it is known. */
  readonly objectType?: CelType;
}

/** What expressions of policies and match conditions may use, as upstream declares it. */
export const admissionEnvironment = ({
  hasParams = false,
  hasAuthorizer = false,
  variables,
  makesPatches = false,
  objectType: object = DYN,
}: AdmissionVariables): CelEnvironment =>
  celEnvironment(
    {
      ...{ object, oldObject: object, request: REQUEST, namespaceObject: NAMESPACE },
      ...(hasParams ? { params: DYN } : {}),
      ...(variables === undefined ? {} : { variables }),
      ...(hasAuthorizer
        ? { authorizer: AUTHORIZER, 'authorizer.requestResource': RESOURCE_CHECK }
        : {}),
    },
    makesPatches ? { messageType: patchType, functions: JSON_PATCH_LIBRARY } : {},
  );

/** What an apply configuration is. What is in it is an `Object.` with the path that leads there. */
export const APPLY_OBJECT = openObjectType('Object');

export const JSON_PATCH_OPERATION = objectType('JSONPatch', {
  ...{ op: STRING, path: STRING, from: STRING, value: DYN },
});

const patchType = (name: string): ObjectType | undefined => {
  if (name === 'JSONPatch') return JSON_PATCH_OPERATION as ObjectType;
  return name === 'Object' || /^Object\../.test(name)
    ? (openObjectType(name) as ObjectType)
    : undefined;
};

/** The type of `variables`. */
export const variablesType = (fields: Readonly<Record<string, CelType>>): CelType =>
  objectType('kubernetes.variables', fields);

const texts = (...names: readonly string[]): Readonly<Record<string, CelType>> =>
  Object.fromEntries(names.map((name) => [name, STRING]));

const GVK = objectType('kubernetes.GroupVersionKind', texts('group', 'version', 'kind'));
const GVR = objectType('kubernetes.GroupVersionResource', texts('group', 'version', 'resource'));
const USER = objectType('kubernetes.UserInfo', {
  ...texts('username', 'uid'),
  groups: listOf(STRING),
  extra: mapOf(STRING, listOf(STRING)),
});
const REQUEST = objectType('kubernetes.AdmissionRequest', {
  ...{ kind: GVK, resource: GVR, requestKind: GVK, requestResource: GVR },
  ...texts('subResource', 'requestSubResource', 'name', 'namespace', 'operation'),
  ...{ userInfo: USER, dryRun: BOOL, options: DYN },
});

const CONDITION = objectType('kubernetes.NamespaceCondition', {
  ...texts('status', 'type', 'message', 'reason'),
  lastTransitionTime: TIMESTAMP,
});
const NAMESPACE = objectType('kubernetes.Namespace', {
  metadata: objectType('kubernetes.NamespaceMetadata', {
    ...texts('name', 'generateName', 'namespace', 'UID', 'resourceVersion'),
    ...{ labels: mapOf(STRING, STRING), annotations: mapOf(STRING, STRING) },
    ...{ creationTimestamp: TIMESTAMP, deletionTimestamp: TIMESTAMP },
    ...{ deletionGracePeriodSeconds: INT, generation: INT, finalizers: listOf(STRING) },
  }),
  spec: objectType('kubernetes.NamespaceSpec', { finalizers: listOf(STRING) }),
  status: objectType('kubernetes.NamespaceStatus', {
    ...texts('phase'),
    conditions: listOf(CONDITION),
  }),
});
