import {
  DISRUPTION_ALLOWED,
  isBudgetOver,
  SYNC_FAILED,
  withAllowedCondition,
  type BudgetStatus,
} from '../../../api/disruption-budgets';
import { ApiError, hasReason } from '../../../api/errors';
import { isPodReady } from '../../../api/pods';
import { POD_DISRUPTION_BUDGETS } from '../../../api/resources';
import type { Pod, PodDisruptionBudget } from '../../../api/types';
import { rfc3339 } from '../../../lib/clock';
import { Permit } from '../auth/permit';
import type { ObjectService } from '../objects/object-service';
import type { WriteContext } from '../objects/write-context';

/** Leave to disrupt a pod. */
export interface Disruption {
  /** It counts for the pod as it was judged, and not once it is another. */
  readonly isOfThisState: boolean;
  /** The budget that it was taken from, or that had nothing against it. */
  readonly budget?: string;
}

/**
 * Takes leave to disrupt a pod from the budget over it, where there is one. The budget says so before
 * the pod is touched, by a write that only succeeds on the state that was judged: whoever asks at the
 * same time, of whichever server, takes the next one or none.
 * @throws TooManyRequests when the budget has none left, InternalError when two budgets are over the
 * pod, Forbidden, NotFound when the budget is gone meanwhile, Timeout when too many ask at once
 */
export const takeDisruption = async (
  service: ObjectService,
  pod: Pod,
  context: WriteContext,
): Promise<Disruption> => {
  const budget = await budgetOver(service, pod, context.signal);
  if (budget === undefined) return { isOfThisState: false };
  const { name } = budget.metadata;
  if (!isPodReady(pod) && isFreeWhileUnready(budget)) return { budget: name, isOfThisState: true };
  await takeFrom(service, budget, pod, context);
  return { budget: name, isOfThisState: false };
};

const budgetOver = async (
  { kinds, reader }: ObjectService,
  pod: Pod,
  signal: AbortSignal,
): Promise<PodDisruptionBudget | undefined> => {
  const { namespace = '' } = pod.metadata;
  const { items } = await reader.list(kinds.of(POD_DISRUPTION_BUDGETS), { namespace }, { signal });
  const budgets: readonly PodDisruptionBudget[] = items.map(({ object }) => object);
  const [budget, another] = budgets.filter((each) => isBudgetOver(each, pod));
  if (another !== undefined) throw new ApiError('InternalError', TWO_BUDGETS);
  return budget;
};

const takeFrom = async (
  { kinds, writer, turns, clock }: ObjectService,
  { metadata }: PodDisruptionBudget,
  pod: Pod,
  context: WriteContext,
): Promise<void> => {
  const { namespace = '', name, uid = '' } = metadata;
  const kind = kinds.of(POD_DISRUPTION_BUDGETS);
  const change = (current: PodDisruptionBudget) =>
    disrupted(current, pod.metadata.name, rfc3339(clock.now()));
  // The one who evicts may not write budgets; the server does.
  const asServer = { ...context, permit: Permit.system };
  const write = () => writer.rewrite(kind, { namespace, name }, change, asServer);
  try {
    await turns.take(uid, write, context.signal);
  } catch (error) {
    if (hasReason(error, 'Conflict')) throw tooManyAtOnce(name, error);
    throw error;
  }
};

/** A pod that is not ready holds up nobody: it goes as the policy has it. */
const isFreeWhileUnready = ({ spec, status }: PodDisruptionBudget): boolean => {
  if (spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true;
  const { currentHealthy = 0, desiredHealthy = 0 } = status ?? {};
  return currentHealthy >= desiredHealthy && desiredHealthy > 0;
};

/** The budget with one disruption less, and the pod noted as the one it was for. @throws ApiError */
const disrupted = (
  budget: PodDisruptionBudget,
  podName: string,
  now: string,
): PodDisruptionBudget => {
  const status = allowing(budget);
  const disruptionsAllowed = status.disruptionsAllowed - 1;
  const next = {
    ...status,
    disruptionsAllowed,
    disruptedPods: { ...status.disruptedPods, [podName]: now },
  };
  return { ...budget, status: disruptionsAllowed === 0 ? withAllowedCondition(next, now) : next };
};

/** The status of a budget that has a disruption left. @throws TooManyRequests, Forbidden */
const allowing = ({ metadata, status }: PodDisruptionBudget): BudgetStatus => {
  const { name, generation = 0 } = metadata;
  if (status === undefined || (status.observedGeneration ?? 0) < generation) throw notYet(name);
  if (status.disruptionsAllowed < 0) throw forbidden(name, 'pdb disruptions allowed is negative');
  if (Object.keys(status.disruptedPods ?? {}).length > MAX_DISRUPTED_PODS)
    throw forbidden(
      name,
      'DisruptedPods map too big - too many evictions not confirmed by PDB controller',
    );
  if (status.disruptionsAllowed === 0) throw refused(refusal(name, status));
  return status;
};

/** Why a budget allows no disruption, in upstream's words (eviction.go). */
const refusal = (name: string, status: BudgetStatus): string => {
  const { conditions = [], currentHealthy, desiredHealthy } = status;
  const condition = conditions.find(({ type }) => type === DISRUPTION_ALLOWED);
  const denied = condition?.status === 'False' && condition.message !== '' ? condition : undefined;
  const not = `The disruption budget ${name} does not allow evicting pods currently`;
  if (denied?.reason === SYNC_FAILED) return `${not} because it failed sync: ${denied.message}`;
  if (currentHealthy <= desiredHealthy)
    return `The disruption budget ${name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`;
  return denied === undefined ? not : `${not} (${denied.reason}): ${denied.message}`;
};

/** To be asked again when the budget has been looked at. */
export const notYet = (budget: string): ApiError =>
  refused(`The disruption budget ${budget} is still being processed by the server.`, 10);

const refused = (cause: string, retryAfterSeconds?: number): ApiError =>
  new ApiError(
    'TooManyRequests',
    "Cannot evict pod as it would violate the pod's disruption budget.",
    {
      details: {
        causes: [{ reason: 'DisruptionBudget', message: cause }],
        ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
      },
    },
  );

const forbidden = (name: string, why: string): ApiError => {
  const details = { name, group: POD_DISRUPTION_BUDGETS.group, kind: 'poddisruptionbudget' };
  return new ApiError(
    'Forbidden',
    `poddisruptionbudget.${details.group} "${name}" is forbidden: ${why}`,
    { details },
  );
};

const tooManyAtOnce = (name: string, cause: unknown): ApiError =>
  new ApiError('Timeout', `couldn't update PodDisruptionBudget "${name}" due to conflicts`, {
    cause,
    details: { retryAfterSeconds: 10 },
  });

const TWO_BUDGETS =
  'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.';
/** Evictions that nobody has followed up yet. Source: eviction.go, MaxDisruptedPodSize. */
const MAX_DISRUPTED_PODS = 2000;
