import { conflict } from '../../../api/errors';
import { formatLabelSelector } from '../../../api/selectors';
import type { ApiObject, LabelSelector } from '../../../api/types';
import { copyOf, fieldsAt, numberAt, type MutableObject } from '../kinds/mutable';
import type { ServedKind } from '../kinds/served-kind';

/** autoscaling/v1 Scale: the replicas of any scalable object, seen alike. */
export interface Scale extends ApiObject {
  readonly spec: { readonly replicas?: number };
  readonly status: { readonly replicas: number; readonly selector?: string };
}

export const scaleOf = (object: ApiObject): Scale => {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = fieldsAt(object, 'spec', 'selector') as LabelSelector;
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      creationTimestamp: creationTimestamp ?? null,
    },
    spec: { replicas: numberAt(object, 'spec', 'replicas') },
    status: {
      replicas: numberAt(object, 'status', 'replicas'),
      selector: formatLabelSelector(selector),
    },
  };
};

/** The object with the replicas of `scale`. @throws Conflict when the scale is of another version. */
export const withScale = (kind: ServedKind, current: ApiObject, scale: Scale): MutableObject => {
  const { plural, group } = kind.resource;
  const { resourceVersion = '' } = scale.metadata;
  if (resourceVersion !== '' && resourceVersion !== current.metadata.resourceVersion)
    throw conflict(plural, group, current.metadata.name);
  const next = copyOf(current);
  next.spec = { ...next.spec, replicas: scale.spec.replicas ?? 0 };
  return next;
};
