import { ApiError } from '../../../api/errors';
import type { NodeConnections } from '../../../client/node-connections';
import type { Random } from '../../../lib/random';
import { warningHeaders, type ApiRequest, type ApiResponse } from '../http/exchange';
import type { ResourceTarget } from '../http/request-target';
import type { ServedKind } from '../kinds/served-kind';
import type { ObjectService } from '../objects/object-service';
import type { WriteContext } from '../objects/write-context';
import { parseIncludeObject } from '../printing/table';
import { mediaTypeOf, parseText, parseYamlText, unsupported } from './body';
import { representationOf } from './negotiation';
import { PATCH_TYPES } from './patching';
import type { View } from './read-responses';

export interface RestDeps {
  readonly service: ObjectService;
  readonly nodes: NodeConnections;
  readonly random: Random;
}

/** A request to one kind, its target found. */
export interface KindRequest {
  readonly request: ApiRequest;
  readonly kind: ServedKind;
  readonly target: ResourceTarget;
}

/** How the client wants to see objects. @throws NotAcceptable */
export const viewOf = ({ service }: RestDeps, { request, kind }: KindRequest): View => ({
  kind,
  representation: representationOf(request.headers['accept']),
  includeObject: parseIncludeObject(request.query.get('includeObject')),
  nowMs: service.clock.now(),
});

/** @throws UnsupportedMediaType, BadRequest */
export const readPatch = async (request: ApiRequest) => {
  const mediaType = mediaTypeOf(request);
  const type = PATCH_TYPES.get(mediaType);
  if (type === undefined) throw unsupported(mediaType, [...PATCH_TYPES.keys()]);
  const bytes = await request.body();
  return { type, body: type === 'apply' ? parseYamlText(bytes) : parseText(bytes) };
};

export const warningsOf = ({ warnings }: WriteContext): ApiResponse['headers'] =>
  warningHeaders(warnings);

export const notServed = (): ApiError =>
  new ApiError('NotFound', 'the server could not find the requested resource');

export const notAllowed = (): ApiError =>
  new ApiError(
    'MethodNotAllowed',
    'the server does not allow this method on the requested resource',
  );
