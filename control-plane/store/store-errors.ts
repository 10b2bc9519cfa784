import { alreadyExists, ApiError, conflict, notFound } from '../../api/errors';
import type { StoreKey } from './store';

/** `deployments.apps` is the plural `deployments` in the group `apps`. */
const splitResource = (resource: string): readonly [plural: string, group: string] => {
  const dot = resource.indexOf('.');
  return dot < 0 ? [resource, ''] : [resource.slice(0, dot), resource.slice(dot + 1)];
};

export const keyNotFound = ({ resource, name }: StoreKey): ApiError =>
  notFound(...splitResource(resource), name);

export const keyExists = ({ resource, name }: StoreKey): ApiError =>
  alreadyExists(...splitResource(resource), name);

export const keyConflict = ({ resource, name }: StoreKey): ApiError =>
  conflict(...splitResource(resource), name);

/** A leader's write came after its term: nothing was written. */
export const termIsOver = (): ApiError =>
  new ApiError('ServiceUnavailable', 'this server does not lead any more: nothing was written');
