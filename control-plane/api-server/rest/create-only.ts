import { ApiError } from '../../../api/errors';
import type { CreateOnlyResource } from '../discovery/discovery';
import type { ApiRequest } from '../http/exchange';
import { parseResourcePath } from '../http/request-target';

/**
 * The namespace in which the request asks for one of what is only ever created, and not stored; undefined
 * when it is about something else. @throws MethodNotAllowed
 */
export const askedNamespace = (
  request: ApiRequest,
  resource: CreateOnlyResource,
): string | undefined => {
  const target = targetOf(request, resource);
  if (target !== undefined && target.namespace === '') throw notAllowed();
  return target?.namespace;
};

/** Does it ask for one that is of the whole cluster? @throws MethodNotAllowed */
export const isAskedOfCluster = (request: ApiRequest, resource: CreateOnlyResource): boolean => {
  const target = targetOf(request, resource);
  if (target !== undefined && target.namespace !== '') throw notAllowed();
  return target !== undefined;
};

const targetOf = ({ path, method }: ApiRequest, { group, version, plural }: CreateOnlyResource) => {
  const target = parseResourcePath(path);
  if (target?.group !== group || target.version !== version || target.plural !== plural)
    return undefined;
  if (method !== 'POST' || target.name !== '') throw notAllowed();
  return target;
};

const notAllowed = () =>
  new ApiError(
    'MethodNotAllowed',
    'the server does not allow this method on the requested resource',
  );
