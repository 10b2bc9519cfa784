import type { z } from 'zod';
import { ApiError } from '../../../api/errors';
import type { Authorizer } from '../auth/authorizer';
import type { CreateOnlyResource } from '../discovery/discovery';
import type { ApiRequest } from '../http/exchange';
import { readValue } from './body';
import { isAskedOfCluster } from './create-only';

/**
 * What the request asks of the whole cluster; undefined for other requests. The body is read for those alone
 * who may create the resource. @throws Forbidden, MethodNotAllowed, and for a body that is no JSON
 */
export const readQuestion = async (
  request: ApiRequest,
  resource: CreateOnlyResource,
  authorizer: Authorizer,
): Promise<{ readonly body: unknown } | undefined> => {
  if (!isAskedOfCluster(request, resource)) return undefined;
  const { group, plural } = resource;
  const asked = { verb: 'create', group, resource: plural, subresource: '' };
  authorizer.authorize(request.user, { ...asked, namespace: '', name: '' });
  return { body: await readValue(request) };
};

/** @throws BadRequest naming the first field that is wrong */
export const specIn = <T>(
  { kind }: Pick<CreateOnlyResource, 'kind'>,
  form: z.ZodType<{ readonly spec: T }>,
  body: unknown,
): T => {
  const parsed = form.safeParse(body ?? {});
  if (parsed.success) return parsed.data.spec;
  const [issue] = parsed.error.issues;
  const where = issue?.path.join('.') ?? '';
  throw new ApiError('BadRequest', `${kind}: ${where}: ${issue?.message ?? ''}`);
};

/** What answers begin with. */
export const headOf = ({ group, version, kind }: CreateOnlyResource) => ({
  ...{ kind, apiVersion: `${group}/${version}` },
  metadata: { creationTimestamp: null },
});
