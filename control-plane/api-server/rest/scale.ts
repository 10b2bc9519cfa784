import { ApiError, conflict, hasReason, notFound } from '../../../api/errors';
import type { Scale } from '../../../api/scale';
import { formatLabelSelector, podSelectorOf } from '../../../api/selectors';
import type { ApiObject, ObjectName } from '../../../api/types';
import { invalid, invalidError } from '../../../api/validation/field-error';
import { askedIn, type AdmissionAttributes } from '../admission/attributes';
import {
  copyOf,
  isFields,
  numberAt,
  textAt,
  valueAt,
  type Fields,
  type MutableObject,
} from '../kinds/mutable';
import { notServed } from '../kinds/kind-registry';
import type { ScalePaths, ServedKind } from '../kinds/served-kind';
import type { ObjectService } from '../objects/object-service';
import type { WriteContext } from '../objects/write-context';

export const scaleOf = ({ scale }: ServedKind, object: ApiObject): Scale => {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const { specReplicas, statusReplicas } = scale ?? DEPLOYMENT_PATHS;
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
    spec: { replicas: numberAt(object, ...specReplicas) },
    status: {
      replicas: numberAt(object, ...statusReplicas),
      ...selectorOf(scale, object),
    },
  };
};

const DEPLOYMENT_PATHS: Omit<ScalePaths, 'selector'> = {
  specReplicas: ['spec', 'replicas'],
  statusReplicas: ['status', 'replicas'],
};

const selectorOf = (scale: ScalePaths | undefined, object: ApiObject) => {
  if (scale !== undefined)
    return scale.selector.length === 0 ? {} : { selector: textAt(object, ...scale.selector) };
  return { selector: formatLabelSelector(podSelectorOf(object) ?? {}) };
};

/** @throws NotFound, also for a kind that has no scales */
export const readScale = async (
  { reader }: Pick<ObjectService, 'reader'>,
  kind: ServedKind,
  name: ObjectName,
  query: URLSearchParams,
  signal: AbortSignal,
): Promise<Scale> => {
  if (!kind.subresources.includes('scale')) throw notServed();
  const { plural, group } = kind.resource;
  const { object } = await reader
    .get(kind, name, undefined, query, { signal })
    .catch((error: unknown) => {
      // Upstream's own kinds name the subresource.
      const isOwn = kind.scale === undefined && hasReason(error, 'NotFound');
      throw isOwn ? notFound(`${plural}/scale`, group, name.name) : error;
    });
  if (kind.scale !== undefined && valueAt(object, ...kind.scale.specReplicas) === undefined)
    throw new ApiError(
      'InternalError',
      `the spec replicas field ".${kind.scale.specReplicas.join('.')}" does not exist`,
    );
  return scaleOf(kind, object);
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
      ...{ operation: 'UPDATE', kind, subresource: 'scale', object, old: scaleOf(kind, current) },
      ...{ namespace, name: current.metadata.name },
    };
    await admission.admit(asked, signal);
    const next = withScale(kind, current, checkScale(object));
    await admission.validate(asked, signal);
    return next;
  };
  const item = await writer.update(kind, name, scaled, { ...context, subresource: 'scale' });
  return scaleOf(kind, item.object);
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

/** What is missing on the way is made. */
const setAt = (object: Fields, [step, ...rest]: readonly string[], value: unknown): void => {
  if (step === undefined) return;
  if (rest.length > 0 && !isFields(object[step])) object[step] = {};
  if (rest.length === 0) object[step] = value;
  else setAt(object[step] as Fields, rest, value);
};

/** The object with the replicas of `scale`. @throws Conflict when the scale is of another version. */
const withScale = (kind: ServedKind, current: ApiObject, scale: Scale): MutableObject => {
  const { plural, group } = kind.resource;
  const { resourceVersion = '' } = scale.metadata;
  if (resourceVersion !== '' && resourceVersion !== current.metadata.resourceVersion)
    throw conflict(plural, group, current.metadata.name);
  const next = copyOf(current);
  setAt(next, kind.scale?.specReplicas ?? DEPLOYMENT_PATHS.specReplicas, scale.spec.replicas ?? 0);
  return next;
};
