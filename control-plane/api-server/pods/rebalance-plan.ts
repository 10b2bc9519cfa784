import { z } from 'zod';
import { SCHEDULING_GROUP } from '../../../api/decisions';
import type { Placements } from '../../../client/placements';
import type { Authorizer } from '../auth/authorizer';
import type { CreateOnlyResource } from '../discovery/discovery';
import { jsonResponse, type ApiRequest, type ApiResponse } from '../http/exchange';
import { headOf, readQuestion, specIn } from '../rest/cluster-question';

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
  const question = await readQuestion(request, REBALANCE_PLANS, authorizer);
  if (question === undefined) return undefined;
  const spec = specIn(REBALANCE_PLANS, PLAN, question.body);
  const status = await placements.rebalance(spec, request.signal);
  return jsonResponse({ ...headOf(REBALANCE_PLANS), spec, status }, 201);
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
