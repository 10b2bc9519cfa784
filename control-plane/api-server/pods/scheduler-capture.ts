import { z } from 'zod';
import { SCHEDULING_GROUP } from '../../../api/decisions';
import { ApiError } from '../../../api/errors';
import type { SchedulerCaptureSpec } from '../../../api/scheduler-captures';
import type { Placements } from '../../../client/placements';
import { stringifyJson } from '../../../lib/json';
import type { Authorizer } from '../auth/authorizer';
import type { CreateOnlyResource } from '../discovery/discovery';
import { JSON_TYPE, type ApiRequest, type ApiResponse } from '../http/exchange';
import { readValue } from '../rest/body';
import { isAskedOfCluster } from '../rest/create-only';

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
  if (!isAskedOfCluster(request, SCHEDULER_CAPTURES)) return undefined;
  const { group, version, kind, plural } = SCHEDULER_CAPTURES;
  const asked = { verb: 'create', group, resource: plural, subresource: '' };
  authorizer.authorize(request.user, { ...asked, namespace: '', name: '' });
  const spec = specIn(await readValue(request));
  const status = await placements.capture(spec, request.signal);
  const metadata = { creationTimestamp: null };
  const head = stringifyJson({ kind, apiVersion: `${group}/${version}`, metadata, spec });
  // Its text is large, and is what goes out.
  const body = `${head.slice(0, -1)},"status":${status}}\n`;
  return { status: 201, headers: { 'content-type': JSON_TYPE }, body };
};

const specIn = (body: unknown): SchedulerCaptureSpec => {
  const parsed = CAPTURE.safeParse(body ?? {});
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue?.path.join('.') ?? '';
    throw new ApiError('BadRequest', `SchedulerCapture: ${where}: ${issue?.message ?? ''}`);
  }
  const { last, pod } = parsed.data.spec;
  return pod === undefined ? { last } : { last, pod };
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
