import { z } from 'zod';
import { SCHEDULING_GROUP } from '../../../api/decisions';
import { ApiError } from '../../../api/errors';
import type { RebalancePlanSpec } from '../../../api/rebalance-plans';
import type { Placements } from '../../../client/placements';
import type { Authorizer } from '../auth/authorizer';
import type { CreateOnlyResource } from '../discovery/discovery';
import { jsonResponse, type ApiRequest, type ApiResponse } from '../http/exchange';
import { readValue } from '../rest/body';
import { isAskedOfCluster } from '../rest/create-only';

export const REBALANCE_PLANS: CreateOnlyResource = {
  group: SCHEDULING_GROUP,
  version: 'v1',
  kind: 'RebalancePlan',
  plural: 'rebalanceplans',
};

/**
 * POST rebalanceplans: which pods would be better off on other nodes? Nothing is stored or evicted. For those
 * who may create `rebalanceplans`: the answer names pods and nodes of the whole cluster. Undefined for other
 * requests.
 */
export const serveRebalancePlan = async (
  request: ApiRequest,
  { placements, authorizer }: { readonly placements: Placements; readonly authorizer: Authorizer },
): Promise<ApiResponse | undefined> => {
  if (!isAskedOfCluster(request, REBALANCE_PLANS)) return undefined;
  const { group, version, kind, plural } = REBALANCE_PLANS;
  const asked = { verb: 'create', group, resource: plural, subresource: '' };
  authorizer.authorize(request.user, { ...asked, namespace: '', name: '' });
  const spec = specIn(await readValue(request));
  const status = await placements.rebalance(spec, request.signal);
  const metadata = { creationTimestamp: null };
  return jsonResponse({ kind, apiVersion: `${group}/${version}`, metadata, spec, status }, 201);
};

const specIn = (body: unknown): RebalancePlanSpec => {
  const parsed = PLAN.safeParse(body ?? {});
  if (parsed.success) return parsed.data.spec;
  const [issue] = parsed.error.issues;
  const where = issue?.path.join('.') ?? '';
  throw new ApiError('BadRequest', `RebalancePlan: ${where}: ${issue?.message ?? ''}`);
};

const MOVES_MAX = 200;
const PLAN = z.looseObject({
  spec: z
    .strictObject({
      maxMoves: z.number().int().min(1).max(MOVES_MAX).default(20),
      // Below one point pods would go back and forth with each small change.
      minGainPercent: z.number().min(1).max(100).default(10),
      highPercent: z.number().min(1).max(100).default(80),
      movesLocalData: z.boolean().default(false),
    })
    .prefault({}),
});
