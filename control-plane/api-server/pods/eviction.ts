import { ApiError, hasReason } from '../../../api/errors';
import { cloneJson } from '../../../api/json-value';
import { disruption, isTerminal, isTerminating, withCondition } from '../../../api/pods';
import type { ObjectName, Pod } from '../../../api/types';
import { rfc3339 } from '../../../lib/clock';
import { askedIn } from '../admission/attributes';
import { fieldsAt, isFields, textAt, type Fields, type MutableObject } from '../kinds/mutable';
import type { ServedKind } from '../kinds/served-kind';
import { checkPreconditions } from '../objects/metadata';
import type { DeletionOptions } from '../objects/object-deleter';
import type { ObjectService } from '../objects/object-service';
import { waitingOf, type WriteContext } from '../objects/write-context';
import { deletionOptionsOf, isDryRunBody } from '../rest/options';
import { notYet, takeDisruption, type Disruption } from './disruptions';

/**
 * Deletes a pod on behalf of whoever drains its node, as far as the disruption budget over it allows.
 * What admission is asked about is the eviction, not the deletion that it leads to, as upstream has it.
 * @throws BadRequest, NotFound, Conflict, and TooManyRequests for a budget that allows none now
 */
export const evictPod = async (
  service: ObjectService,
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
  await service.admission.pass(
    { ...asked, namespace, name: name.name, object: eviction, ...askedIn(whole) },
    signal,
  );
  const options = eviction['deleteOptions'] ?? undefined;
  const deletion = deletionOptionsOf(options, new URLSearchParams());
  await evict(service, { pods, name, deletion, context: whole });
};

interface Eviction {
  readonly pods: ServedKind;
  readonly name: ObjectName;
  readonly deletion: DeletionOptions;
  readonly context: WriteContext;
}

/** Judges the pod again when it has changed in a way that matters before it was deleted. */
const evict = async (service: ObjectService, eviction: Eviction): Promise<void> => {
  const { pods, name, deletion, context } = eviction;
  for (let attempt = 1; ; attempt++) {
    const { object } = await service.reader.get(
      pods,
      name,
      undefined,
      NO_QUERY,
      waitingOf(context),
    );
    const pod = object as Pod;
    checkPreconditions(pods, pod, deletion.preconditions ?? {});
    const leave = needsLeave(pod) ? await leaveFor(service, pod, context) : undefined;
    if (leave === 'again' && attempt < MAX_ATTEMPTS) continue;
    if (leave === 'again')
      throw new ApiError('Timeout', `the budget over ${name.name} is changing`);
    try {
      await deleteJudged(service, eviction, pod, leave);
      return;
    } catch (error) {
      const isOurs = deletion.preconditions?.resourceVersion === undefined;
      if (!hasReason(error, 'Conflict') || !isOurs) throw error;
      // Leave was given for a pod that is another one now: whoever asks again is judged anew.
      if (leave?.budget !== undefined) throw notYet(leave.budget);
      if (attempt >= MAX_ATTEMPTS) throw error;
    }
  }
};

/** What has ended, goes already, or has not begun is missed by nobody. Source: eviction.go, canIgnorePDB. */
const needsLeave = (pod: Pod): boolean => !isPodEnding(pod) && pod.status.phase !== 'Pending';

const isPodEnding = (pod: Pod): boolean => isTerminal(pod) || isTerminating(pod);

const leaveFor = async (
  service: ObjectService,
  pod: Pod,
  context: WriteContext,
): Promise<Disruption | 'again'> => {
  try {
    return await takeDisruption(service, pod, context);
  } catch (error) {
    // The budget went while it was asked.
    if (hasReason(error, 'NotFound')) return 'again';
    throw error;
  }
};

/** Deletes this very pod; one that may become ready meanwhile, only as it was judged. */
const deleteJudged = async (
  { deleter, clock }: ObjectService,
  { pods, name, deletion, context }: Eviction,
  pod: Pod,
  leave: Disruption | undefined,
): Promise<void> => {
  const { uid, resourceVersion } = pod.metadata;
  const isAsJudged = leave?.isOfThisState ?? !isPodEnding(pod);
  const preconditions = {
    ...(uid === undefined ? {} : { uid }),
    ...(isAsJudged && resourceVersion !== undefined ? { resourceVersion } : {}),
    ...deletion.preconditions,
  };
  const now = rfc3339(clock.now());
  await deleter.deleteAdmitted(pods, name, { ...deletion, preconditions }, context, (marked) => {
    const status = marked.status ?? {};
    const known = status['conditions'] as Pod['status']['conditions'];
    marked.status = { ...status, conditions: withCondition(known, EVICTED, now) };
  });
};

/** Tells whoever sees the pod end why it did. Source: eviction.go, addConditionAndDeletePod. */
const EVICTED = disruption('EvictionByEvictionAPI', 'Eviction API: evicting');

const evictionOf = ({ namespace, name }: ObjectName, body: Fields): MutableObject => ({
  ...cloneJson(body),
  apiVersion: 'policy/v1',
  kind: 'Eviction',
  metadata: { ...cloneJson(fieldsAt(body, 'metadata')), namespace, name },
});

const NO_QUERY = new URLSearchParams();
/** Of judging a pod that changes all the time. Source: eviction.go, EvictionsRetry. */
const MAX_ATTEMPTS = 20;
