import { z } from 'zod';
import { SCHEDULING_GROUP } from '../../../api/decisions';
import type { Placements } from '../../../client/placements';
import { stringifyJson } from '../../../lib/json';
import type { Authorizer } from '../auth/authorizer';
import type { CreateOnlyResource } from '../discovery/discovery';
import { JSON_TYPE, type ApiRequest, type ApiResponse } from '../http/exchange';
import { headOf, readQuestion, specIn } from '../rest/cluster-question';

export const SCHEDULER_CAPTURES: CreateOnlyResource = {
  group: SCHEDULING_GROUP,
  version: 'v1',
  kind: 'SchedulerCapture',
  plural: 'schedulercaptures',
};

/**
 * POST schedulercaptures: the last decisions with all that they were taken by. It names nodes and pods of the
 * whole cluster: for those who may create `schedulercaptures`. Undefined for other requests.
 */
export const serveSchedulerCapture = async (
  request: ApiRequest,
  { placements, authorizer }: { readonly placements: Placements; readonly authorizer: Authorizer },
): Promise<ApiResponse | undefined> => {
  const question = await readQuestion(request, SCHEDULER_CAPTURES, authorizer);
  if (question === undefined) return undefined;
  const { last, pod } = specIn(SCHEDULER_CAPTURES, CAPTURE, question.body);
  const spec = pod === undefined ? { last } : { last, pod };
  const status = await placements.capture(spec, request.signal);
  const head = stringifyJson({ ...headOf(SCHEDULER_CAPTURES), spec });
  // Its text is large, and is what goes out.
  const body = `${head.slice(0, -1)},"status":${status}}\n`;
  return { status: 201, headers: { 'content-type': JSON_TYPE }, body };
};

const LAST_MAX = 10_000;
const NAME_LENGTH_MAX = 253;
const CAPTURE = z.looseObject({
  spec: z
    .strictObject({
      last: z.number().int().min(1).max(LAST_MAX).default(100),
      pod: z
        .strictObject({
          namespace: z.string().min(1).max(NAME_LENGTH_MAX),
          name: z.string().min(1).max(NAME_LENGTH_MAX),
        })
        .optional(),
    })
    .prefault({}),
});
