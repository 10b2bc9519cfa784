import { ApiError, conflict } from '../../../api/errors';
import type { ApiObject } from '../../../api/types';
import { rfc3339 } from '../../../lib/clock';
import type { Clock } from '../../../lib/clock';
import { randomSuffix, type Random } from '../../../lib/random';
import { isFields, type MutableObject } from '../kinds/mutable';
import type { ServedKind } from '../kinds/served-kind';
import type { Preconditions } from './write-context';

/** Fields the server alone sets; what a client sends there is dropped. */
export const resetSystemMetadata = (
  { metadata }: MutableObject,
  clock: Clock,
  random: Random,
  hasGeneration: boolean,
): void => {
  metadata.uid = uuid(random);
  metadata.creationTimestamp = rfc3339(clock.now());
  for (const field of SYSTEM_FIELDS) if (field in metadata) Reflect.deleteProperty(metadata, field);
  if (hasGeneration) metadata.generation = 1;
};

/** A name that no validation would refuse is made even when the prefix is long. */
export const generateName = (prefix: string, random: Random): string =>
  prefix.slice(0, MAX_GENERATED_PREFIX) + randomSuffix(random);

/** Carries over what an update may not change. */
export const keepSystemMetadata = ({ metadata }: MutableObject, old: ApiObject): void => {
  for (const field of KEPT_FIELDS) {
    const value = old.metadata[field];
    if (value === undefined) Reflect.deleteProperty(metadata, field);
    else Object.assign(metadata, { [field]: value });
  }
  metadata.creationTimestamp = old.metadata.creationTimestamp ?? null;
  if (metadata.uid === undefined && old.metadata.uid !== undefined) metadata.uid = old.metadata.uid;
  Reflect.deleteProperty(metadata, 'selfLink');
};

/** @throws BadRequest unless the object lives where the request points. */
export const placeObject = (
  kind: ServedKind,
  object: MutableObject,
  namespace: string,
  name: string,
): void => {
  if (!isFields(object.metadata)) (object as { metadata: unknown }).metadata = {};
  const { metadata } = object;
  if (kind.resource.isNamespaced) {
    if (
      metadata.namespace !== undefined &&
      metadata.namespace !== '' &&
      metadata.namespace !== namespace
    )
      throw new ApiError(
        'BadRequest',
        `the namespace of the provided object does not match the namespace sent on the request`,
      );
    metadata.namespace = namespace;
  } else {
    Reflect.deleteProperty(metadata, 'namespace');
  }
  if (name === '') return;
  if ((metadata.name as string | undefined) === undefined || metadata.name === '')
    metadata.name = name;
  if (metadata.name !== name)
    throw new ApiError(
      'BadRequest',
      `the name of the object (${metadata.name}) does not match the name on the URL (${name})`,
    );
};

/** @throws Conflict */
export const checkPreconditions = (
  kind: ServedKind,
  object: ApiObject,
  { uid, resourceVersion }: Preconditions,
): void => {
  const { plural, group } = kind.resource;
  const { metadata } = object;
  if (uid !== undefined && uid !== metadata.uid)
    throw conflict(
      plural,
      group,
      metadata.name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid ?? ''}`,
    );
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion)
    throw conflict(
      plural,
      group,
      metadata.name,
      `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ` +
        `ResourceVersion in object meta: ${metadata.resourceVersion ?? ''}`,
    );
};

const uuid = (random: Random): string => {
  const bytes = Buffer.allocUnsafe(16);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Math.floor(random.next() * 256);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
};

const SYSTEM_FIELDS = [
  'resourceVersion',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'selfLink',
  'generation',
] as const;
const KEPT_FIELDS = [
  'namespace',
  'generation',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'generateName',
] as const;
const MAX_GENERATED_PREFIX = 58;
