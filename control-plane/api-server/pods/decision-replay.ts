import { z } from 'zod';
import { SCHEDULING_GROUP } from '../../../api/decisions';
import type { Placements } from '../../../client/placements';
import type { Authorizer } from '../auth/authorizer';
import type { CreateOnlyResource } from '../discovery/discovery';
import { jsonResponse, type ApiRequest, type ApiResponse } from '../http/exchange';
import { headOf, readQuestion, specIn } from '../rest/cluster-question';

export const DECISION_REPLAYS: CreateOnlyResource = {
  group: SCHEDULING_GROUP,
  version: 'v1',
  kind: 'DecisionReplay',
  plural: 'decisionreplays',
};

/**
 * POST decisionreplays: how would the last decisions come out now, by the same configuration or another?
 * For those who may create `decisionreplays`. Undefined for other requests.
 */
export const serveDecisionReplay = async (
  request: ApiRequest,
  { placements, authorizer }: { readonly placements: Placements; readonly authorizer: Authorizer },
): Promise<ApiResponse | undefined> => {
  const question = await readQuestion(request, DECISION_REPLAYS, authorizer);
  if (question === undefined) return undefined;
  const { last, config } = specIn(DECISION_REPLAYS, REPLAY, question.body);
  const spec = config === undefined ? { last } : { last, config };
  const status = await placements.replay(spec, request.signal);
  return jsonResponse({ ...headOf(DECISION_REPLAYS), spec, status }, 201);
};

const LAST_MAX = 10_000;
const REPLAY = z.looseObject({
  spec: z
    .strictObject({
      last: z.number().int().min(1).max(LAST_MAX).default(100),
      config: z
        .string()
        .max(1024 * 1024)
        .optional(),
    })
    .prefault({}),
});
