import { ApiError } from '../../../api/errors';
import type { CreateOnlyResource } from '../discovery/discovery';
import type { ApiRequest } from '../http/exchange';
import { parseResourcePath } from '../http/request-target';

/**
 * The namespace in which the request asks for one of what is only ever created, and not stored; undefined
 * when it is about something else. @throws MethodNotAllowed
 */
export const askedNamespace = (
  { path, method }: ApiRequest,
  { group, version, plural }: CreateOnlyResource,
): string | undefined => {
  const target = parseResourcePath(path);
  if (target?.group !== group || target.version !== version || target.plural !== plural)
    return undefined;
  if (method !== 'POST' || target.name !== '' || target.namespace === '')
    throw new ApiError(
      'MethodNotAllowed',
      'the server does not allow this method on the requested resource',
    );
  return target.namespace;
};
