import { ApiError } from '../../../api/errors';
import { cloneJson } from '../../../api/json-value';
import type { ObjectName } from '../../../api/types';
import { askedIn } from '../admission/attributes';
import { fieldsAt, isFields, textAt, type Fields, type MutableObject } from '../kinds/mutable';
import type { ServedKind } from '../kinds/served-kind';
import type { ObjectService } from '../objects/object-service';
import type { WriteContext } from '../objects/write-context';
import { deletionOptionsOf, isDryRunBody } from '../rest/options';

/**
 * Deletes a pod on behalf of whoever drains its node. What admission is asked about is the eviction,
 * not the deletion that it leads to, as upstream has it. @throws BadRequest, NotFound, Conflict
 */
export const evictPod = async (
  { deleter, admission }: ObjectService,
  pods: ServedKind,
  name: ObjectName,
  body: unknown,
  context: WriteContext,
): Promise<void> => {
  if (!isFields(body)) throw new ApiError('BadRequest', 'an eviction must be an object');
  const named = textAt(body, 'metadata', 'name');
  if (named !== '' && named !== name.name)
    throw new ApiError('BadRequest', 'name in URL does not match name in Eviction object');
  const eviction = evictionOf(name, body);
  const asked = { operation: 'CREATE', kind: pods, subresource: 'eviction' } as const;
  const { signal } = context;
  const whole = { ...context, isDryRun: context.isDryRun || isDryRunBody(body['deleteOptions']) };
  const { namespace } = name;
  await admission.pass(
    { ...asked, namespace, name: name.name, object: eviction, ...askedIn(whole) },
    signal,
  );
  const options = eviction['deleteOptions'] ?? undefined;
  const deletion = deletionOptionsOf(options, new URLSearchParams());
  await deleter.deleteAdmitted(pods, name, deletion, whole);
};

const evictionOf = ({ namespace, name }: ObjectName, body: Fields): MutableObject => ({
  ...cloneJson(body),
  apiVersion: 'policy/v1',
  kind: 'Eviction',
  metadata: { ...cloneJson(fieldsAt(body, 'metadata')), namespace, name },
});
