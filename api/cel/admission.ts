import { celEnvironment, type CelEnvironment } from './environment';
import { AUTHORIZER, RESOURCE_CHECK } from './library/authorizer';
import {
  BOOL,
  DYN,
  INT,
  listOf,
  mapOf,
  objectType,
  STRING,
  TIMESTAMP,
  type CelType,
} from './types';

export interface AdmissionVariables {
  /** `params` is there: a policy names a kind for it. */
  readonly hasParams?: boolean;
  /** `authorizer` is there: not for messages. */
  readonly hasAuthorizer?: boolean;
  /** `variables`, of a policy. */
  readonly variables?: CelType;
  /** Of `object` and `oldObject`, where it is known. */
  readonly objectType?: CelType;
}

/** What expressions of policies and match conditions may use, as upstream declares it. */
export const admissionEnvironment = ({
  hasParams = false,
  hasAuthorizer = false,
  variables,
  objectType: object = DYN,
}: AdmissionVariables): CelEnvironment =>
  celEnvironment({
    ...{ object, oldObject: object, request: REQUEST, namespaceObject: NAMESPACE },
    ...(hasParams ? { params: DYN } : {}),
    ...(variables === undefined ? {} : { variables }),
    ...(hasAuthorizer
      ? { authorizer: AUTHORIZER, 'authorizer.requestResource': RESOURCE_CHECK }
      : {}),
  });

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
