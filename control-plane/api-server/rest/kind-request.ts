import { ApiError } from '../../../api/errors';
import type { NodeConnections } from '../../../client/node-connections';
import type { Random } from '../../../lib/random';
import type { Permit } from '../auth/permit';
import { warningHeaders, type ApiRequest, type ApiResponse } from '../http/exchange';
import type { HeavyLane, Pace } from '../http/heavy-lane';
import type { ResourceTarget } from '../http/request-target';
import { isFields } from '../kinds/mutable';
import type { ServedKind, Waiting } from '../kinds/served-kind';
import type { ObjectService } from '../objects/object-service';
import { checkValueCount } from '../objects/object-size';
import type { WriteContext } from '../objects/write-context';
import { parseIncludeObject } from '../printing/table';
import { checkType, mediaTypeOf, parseText, parseYamlText, unsupported } from './body';
import { bodyLimitsOf, JSON_PATCH_LIMITS } from './body-limits';
import { representationOf } from './negotiation';
import { parseForce } from './options';
import { PATCH_TYPES, type PatchRequest } from './patching';
import type { ProxyGateway } from '../proxy/proxy-gateway';
import type { View } from './read-responses';
import type { RoundPacer } from '../../../lib/async/round-pacer';
import type { WatchLimit } from './watch-limit';

export interface RestDeps {
  readonly service: ObjectService;
  readonly nodes: NodeConnections;
  readonly proxies: ProxyGateway;
  readonly random: Random;
  readonly heavyLane: HeavyLane;
  readonly watchLimit: WatchLimit;
  /** When watches take what has changed. */
  readonly watchPacer: RoundPacer;
}

/** A request to one kind, its target found. */
export interface KindRequest {
  readonly request: ApiRequest;
  readonly kind: ServedKind;
  readonly target: ResourceTarget;
  readonly permit: Permit;
}

/** How the client wants to see objects. @throws NotAcceptable */
export const viewOf = ({ service }: RestDeps, { request, kind }: KindRequest): View => ({
  kind,
  representation: representationOf(request.headers['accept']),
  includeObject: parseIncludeObject(request.query.get('includeObject')),
  nowMs: service.clock.now(),
});

/** With what a read waits for others. */
export const waitingIn = ({ signal, place }: ApiRequest): Waiting => ({
  signal,
  ...(place === undefined ? {} : { aside: (work) => place.aside(work) }),
});

/** @throws UnsupportedMediaType, BadRequest, Invalid */
export const readPatch = async (
  request: ApiRequest,
  kind: ServedKind,
  pace?: Pace,
): Promise<PatchRequest> => {
  const { resource } = kind;
  const mediaType = mediaTypeOf(request);
  const type = PATCH_TYPES.get(mediaType);
  const accepted = patchTypesOf(resource);
  if (type === undefined || !accepted.includes(mediaType)) throw unsupported(accepted);
  const isForced = parseForce(request.query, type);
  const bytes = await request.body();
  await pace?.weigh(bytes.length);
  const limits = type === 'json' ? JSON_PATCH_LIMITS : bodyLimitsOf(kind);
  if (type !== 'apply') return { type, body: parseText(bytes, limits), isForced };
  const body = parseYamlText(bytes, bodyLimitsOf(kind));
  checkValueCount(kind, body);
  if (isFields(body)) checkType(resource, body);
  return { type, body, isForced };
};

/** Schemas that users write say nothing of how a strategic merge goes. */
const patchTypesOf = ({ definition }: ServedKind['resource']): readonly string[] =>
  [...PATCH_TYPES]
    .filter(([, type]) => type !== 'strategic' || definition?.structural === undefined)
    .map(([mediaType]) => mediaType);

export const warningsOf = ({ warnings }: WriteContext): ApiResponse['headers'] =>
  warningHeaders(warnings);

export const notAllowed = (why?: string): ApiError =>
  new ApiError(
    'MethodNotAllowed',
    'the server does not allow this method on the requested resource' +
      (why === undefined ? '' : `: ${why}`),
  );
