import type { KindName } from '../../../../api/schema/definitions';
import { apiVersionOf } from '../../../../api/resources';
import type { ApiObject } from '../../../../api/types';
import type { MutableObject } from '../../kinds/mutable';
import { NOTHING_HELD } from '../../http/aside';
import type { ServedKind, Waiting } from '../../kinds/served-kind';
import type { AdmissionAttributes } from '../attributes';
import { isOfKind } from './admission-request';

/** An object in another version of its kind. */
export type ConvertObject = <T extends ApiObject>(
  object: T,
  to: ServedKind,
  waiting: Waiting,
) => Promise<T>;

/** Most versions differ in nothing but their name. */
export const convertObject: ConvertObject = async (object, to, waiting) => {
  const { resource, conversion, convertedFrom } = to;
  if (conversion !== undefined) return conversion.convert(object, waiting);
  return convertedFrom === undefined
    ? { ...object, apiVersion: apiVersionOf(resource) }
    : (convertedFrom(object) as typeof object);
};

/** What is asked, with its objects in the version that a webhook knows. */
export const inVersion = async (
  asked: AdmissionAttributes,
  matched: ServedKind,
  convert: ConvertObject,
  signal: AbortSignal,
): Promise<AdmissionAttributes> => {
  const { object, old, aside = NOTHING_HELD } = asked;
  const waiting = { signal, aside };
  if (matched === asked.kind || !isOfKind(asked, asked.kind)) return asked;
  return {
    ...asked,
    ...(object === undefined ? {} : { object: await convert(object, matched, waiting) }),
    ...(old === undefined ? {} : { old: await convert(old, matched, waiting) }),
  };
};

/** What is new has nothing yet that the server gives it. */
export const asNew = (asked: AdmissionAttributes): AdmissionAttributes => {
  if (asked.object === undefined) return asked;
  const { uid: _uid, generation: _generation, ...metadata } = asked.object.metadata;
  const object: MutableObject = {
    ...asked.object,
    metadata: { ...metadata, creationTimestamp: null },
  };
  if (asked.name === '') Reflect.deleteProperty(object.metadata, 'name');
  return { ...asked, object };
};

/** By which an object is decoded: also what is no stored kind, as a `Scale`. */
export const kindIn = (
  { apiVersion, kind }: MutableObject,
  stored: ServedKind | undefined,
): KindName => {
  if (stored !== undefined) return stored.resource;
  const [version = '', group = ''] = apiVersion.split('/').reverse();
  return { group, version, kind };
};
