import { ApiError, conflict } from '../../../api/errors';
import { formatLabelSelector } from '../../../api/selectors';
import type { ApiObject, LabelSelector, ObjectName } from '../../../api/types';
import { invalid, invalidError } from '../../../api/validation/field-error';
import { askedIn, type AdmissionAttributes } from '../admission/attributes';
import {
  copyOf,
  fieldsAt,
  isFields,
  numberAt,
  textAt,
  valueAt,
  type MutableObject,
} from '../kinds/mutable';
import type { ServedKind } from '../kinds/served-kind';
import type { ObjectService } from '../objects/object-service';
import type { WriteContext } from '../objects/write-context';

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

/**
 * Writes an object by its scale. Admission is asked about the scale, as upstream has it: what it holds
 * of objects of the kind does not matter here. @throws as `ObjectWriter.update`
 */
export const updateScale = async (
  { writer, admission }: ObjectService,
  kind: ServedKind,
  name: ObjectName,
  change: (current: ApiObject) => Scale,
  context: WriteContext,
): Promise<Scale> => {
  const { signal } = context;
  const scaled = async (current: ApiObject): Promise<MutableObject> => {
    const { namespace = '' } = current.metadata;
    const object = copyOf(change(current));
    const asked: AdmissionAttributes = {
      ...askedIn(context),
      ...{ operation: 'UPDATE', kind, subresource: 'scale', object, old: scaleOf(current) },
      ...{ namespace, name: current.metadata.name },
    };
    await admission.admit(asked, signal);
    const next = withScale(kind, current, checkScale(object));
    await admission.validate(asked, signal);
    return next;
  };
  const item = await writer.update(kind, name, scaled, { ...context, subresource: 'scale' });
  return scaleOf(item.object);
};

/** @throws BadRequest, Invalid */
export const checkScale = (value: unknown): Scale => {
  const replicas = valueAt(value, 'spec', 'replicas') ?? 0;
  if (!isFields(value) || !isFields(value['metadata']) || !Number.isInteger(replicas))
    throw new ApiError('BadRequest', 'a scale needs metadata and an integer spec.replicas');
  if (numberAt(value, 'spec', 'replicas') < 0)
    throw invalidError({ group: 'autoscaling', kind: 'Scale' }, textAt(value, 'metadata', 'name'), [
      invalid('spec.replicas', replicas, 'must be greater than or equal to 0'),
    ]);
  return value as unknown as Scale;
};

/** The object with the replicas of `scale`. @throws Conflict when the scale is of another version. */
const withScale = (kind: ServedKind, current: ApiObject, scale: Scale): MutableObject => {
  const { plural, group } = kind.resource;
  const { resourceVersion = '' } = scale.metadata;
  if (resourceVersion !== '' && resourceVersion !== current.metadata.resourceVersion)
    throw conflict(plural, group, current.metadata.name);
  const next = copyOf(current);
  next.spec = { ...next.spec, replicas: scale.spec.replicas ?? 0 };
  return next;
};
