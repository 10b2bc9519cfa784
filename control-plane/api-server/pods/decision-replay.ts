import { z } from 'zod';
import { SCHEDULING_GROUP } from '../../../api/decisions';
import type { DecisionReplaySpec } from '../../../api/decision-replays';
import { ApiError } from '../../../api/errors';
import type { Placements } from '../../../client/placements';
import type { Authorizer } from '../auth/authorizer';
import type { CreateOnlyResource } from '../discovery/discovery';
import { jsonResponse, type ApiRequest, type ApiResponse } from '../http/exchange';
import { readValue } from '../rest/body';
import { isAskedOfCluster } from '../rest/create-only';

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
  if (!isAskedOfCluster(request, DECISION_REPLAYS)) return undefined;
  const { group, version, kind, plural } = DECISION_REPLAYS;
  const asked = { verb: 'create', group, resource: plural, subresource: '' };
  authorizer.authorize(request.user, { ...asked, namespace: '', name: '' });
  const spec = specIn(await readValue(request));
  const status = await placements.replay(spec, request.signal);
  const metadata = { creationTimestamp: null };
  return jsonResponse({ kind, apiVersion: `${group}/${version}`, metadata, spec, status }, 201);
};

const specIn = (body: unknown): DecisionReplaySpec => {
  const parsed = REPLAY.safeParse(body ?? {});
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue?.path.join('.') ?? '';
    throw new ApiError('BadRequest', `DecisionReplay: ${where}: ${issue?.message ?? ''}`);
  }
  const { last, config } = parsed.data.spec;
  return config === undefined ? { last } : { last, config };
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
