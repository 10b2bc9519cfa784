import { ApiError } from '../../../api/errors';
import type { ObjectName } from '../../../api/types';
import { isFields, textAt } from '../kinds/mutable';
import type { ServedKind } from '../kinds/served-kind';
import type { ObjectService } from '../objects/object-service';
import type { WriteContext } from '../objects/write-context';
import { deletionOptionsOf, isDryRunBody } from '../rest/options';

/** Deletes a pod on behalf of whoever drains its node. @throws BadRequest, NotFound, Conflict */
export const evictPod = async (
  { deleter }: ObjectService,
  pods: ServedKind,
  name: ObjectName,
  body: unknown,
  context: WriteContext,
): Promise<void> => {
  if (!isFields(body)) throw new ApiError('BadRequest', 'an eviction must be an object');
  const named = textAt(body, 'metadata', 'name');
  if (named !== '' && named !== name.name)
    throw new ApiError('BadRequest', 'name in URL does not match name in Eviction object');
  const options = body['deleteOptions'] ?? undefined;
  const isDryRun = context.isDryRun || isDryRunBody(options);
  await deleter.delete(pods, name, deletionOptionsOf(options, new URLSearchParams()), {
    ...context,
    isDryRun,
  });
};
