import { SCHEDULING_GROUP } from '../../../api/decisions';
import { PODS } from '../../../api/resources';
import type { Pod } from '../../../api/types';
import type { Placements } from '../../../client/placements';
import type { Authorizer } from '../auth/authorizer';
import { Permit } from '../auth/permit';
import { sharerOf } from '../auth/user';
import type { CreateOnlyResource } from '../discovery/discovery';
import { jsonResponse, type ApiRequest, type ApiResponse } from '../http/exchange';
import type { HeavyLane } from '../http/heavy-lane';
import type { ObjectService } from '../objects/object-service';
import { readObject } from '../rest/body';
import { askedNamespace } from '../rest/create-only';
import { writeContextOf } from '../rest/options';

export const PLACEMENT_REVIEWS: CreateOnlyResource = {
  group: SCHEDULING_GROUP,
  version: 'v1',
  kind: 'PlacementReview',
  plural: 'placementreviews',
  isNamespaced: true,
};

export interface PlacementReviewDeps {
  readonly service: ObjectService;
  readonly authorizer: Authorizer;
  readonly heavyLane: HeavyLane;
  readonly placements: Placements;
}

/**
 * POST placementreviews with a pod: would it be placed now? It is authorized, admitted and bounded as
 * the creation of the pod would be, as a dry run; nothing is stored. Undefined for other requests.
 */
export const servePlacementReview = async (
  request: ApiRequest,
  { service, authorizer, heavyLane, placements }: PlacementReviewDeps,
): Promise<ApiResponse | undefined> => {
  const namespace = askedNamespace(request, PLACEMENT_REVIEWS);
  if (namespace === undefined) return undefined;
  const { group, version, kind } = PLACEMENT_REVIEWS;
  const asked = { verb: 'create', group: '', resource: PODS.plural, subresource: '' };
  const permit = Permit.of(request.user, { ...asked, namespace, name: '' }, authorizer);
  using pace = heavyLane.pace(request.signal, sharerOf(request.user));
  const context = { ...writeContextOf(request, permit), isDryRun: true, pace };
  const pods = service.kinds.of(PODS);
  const draft = await readObject(request, pods, context);
  const { object } = await service.writer.create(pods, namespace, draft, context);
  const { name } = object.metadata;
  const review = {
    kind,
    apiVersion: `${group}/${version}`,
    metadata: { name, namespace },
    status: placements.review(object as Pod),
  };
  return jsonResponse(review, 201);
};
