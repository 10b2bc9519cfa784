import { onAbort } from '../../lib/async/on-abort';
import { ApiError } from '../../api/errors';
import { LEASES, NODES } from '../../api/resources';
import type { Activities } from '../../lib/activities';
import type { Span, Tracing } from '../../lib/tracing/tracing';
import { onIdle } from '../../lib/net/idle';
import type { AuditRecord, Auditor } from './audit/auditor';
import type { Attributes } from './auth/access-attributes';
import type { Verdict } from './auth/node-authorizer';
import { actingUser } from './auth/impersonation';
import type { Authorizer } from './auth/authorizer';
import type { TokenAuthenticator } from './auth/token-issuer';
import { Permit } from './auth/permit';
import { attributesOf, pathAttributes, upgradeAttributes } from './auth/request-attributes';
import { ISSUER, type ServiceAccountTokens } from './auth/service-account-tokens';
import { isAnonymous, NODES_GROUP, sharerOf, type User } from './auth/user';
import { serveDiscovery } from './discovery/discovery-api';
import type { Discovery } from './discovery/discovery';
import { serveCheck, servePublic, type HealthDeps } from './discovery/health';
import {
  statusResponse,
  textResponse,
  toApiError,
  type ApiRequest,
  type ApiResponse,
} from './http/exchange';
import type { Yielding } from './http/aside';
import type { HeldPlace } from './http/fair-places';
import type { InFlightLimit } from './http/in-flight';
import { parseResourcePath, type ResourceTarget } from './http/request-target';
import { prettyIfAsked } from './http/pretty';
import { watchInQuery } from './http/watch-path';
import { checkProtocol, type ExecGateway, type UpgradingConnection } from './pods/exec';
import type { PortForwardGateway } from './pods/port-forward';
import type { ProxyGateway } from './proxy/proxy-gateway';
import { isTrue } from './rest/options';
import type { RestApi } from './rest/rest-api';
import { notServed, type KindRegistry } from './kinds/kind-registry';
import { storeNameOf } from './kinds/served-kind';
import { noteAnswer, requestSpan } from './request-span';
import type { RequestMetrics } from './metrics/request-metrics';

export interface ApiHandlerDeps extends HealthDeps {
  readonly kinds: KindRegistry;
  readonly authorizer: Authorizer;
  readonly tokens: ServiceAccountTokens;
  readonly oidc?: TokenAuthenticator;
  /** Is the certificate that the user came with good no more? */
  readonly isOutdated: (user: User) => boolean;
  /** May who says no name ask at all? Roles decide what they may. */
  takesAnonymous(path: string): boolean;
  readonly auditor?: Auditor;
  readonly metrics: RequestMetrics;
  /** Answers /metrics. */
  readonly scrape: () => ApiResponse;
  readonly activities: Activities;
  /** Absent: nothing is traced. */
  readonly tracing?: Tracing;
  readonly inFlight: InFlightLimit;
  readonly rest: RestApi;
  readonly discovery: Discovery;
  readonly exec: ExecGateway;
  readonly portForward: PortForwardGateway;
  readonly proxies: ProxyGateway;
  /** A stream that carries nothing for so long ends. */
  readonly streamIdleMs: number;
  /** What one can only ask; each says whether the user may. Undefined for what it does not know. */
  readonly reviews: readonly Answerer[];
  /** Answers paths outside /api and /apis, to who may have them; undefined for others. */
  readonly paths: readonly Answerer[];
}

/** What the request's path names, if that is a resource. */
type Target = ResourceTarget | undefined;

type Answerer = (request: ApiRequest) => Promise<ApiResponse | undefined>;

/** The whole API for one request: who asks, may they, and which part answers. */
export class ApiHandler {
  constructor(private readonly deps: ApiHandlerDeps) {}

  /** Never throws: what goes wrong is an answer too. */
  async handle(given: ApiRequest): Promise<ApiResponse> {
    const request = watchInQuery(given);
    using _work = this.deps.activities.begin(`${request.method} ${request.path.slice(0, 256)}`);
    const target = parseResourcePath(request.path);
    const response = await orRefusal(() => this.answer(request, target));
    this.count(request, target, response.status);
    return prettyIfAsked(request, response);
  }

  private count(request: ApiRequest, target: Target, status: number): void {
    const kind = target && this.deps.kinds.find(target.group, target.version, target.plural);
    // Paths that name nothing served are anyone's invention: they count as one.
    const isResource = target !== undefined && kind !== undefined;
    const method = METHODS.has(request.method) ? request.method.toLowerCase() : 'other';
    const verb = isResource ? attributesOf(request, target).verb : method;
    this.deps.metrics.count(verb, isResource ? storeNameOf(kind) : '', status);
  }

  /** exec, attach, portforward, and what goes on to a pod by proxy. @throws ApiError before the upgrade */
  async upgrade(asked: ApiRequest, connection: UpgradingConnection): Promise<void> {
    const target = parseResourcePath(asked.path);
    const { caller, request } = await this.identified(asked, target);
    const record = this.recordOf(caller, request, target);
    try {
      await this.serveStream(request, target, connection, record);
    } catch (error) {
      record?.answered(statusResponse(toApiError(error).toStatus()));
      throw error;
    }
  }

  private async serveStream(
    request: ApiRequest,
    target: Target,
    connection: UpgradingConnection,
    record: AuditRecord | undefined,
  ): Promise<void> {
    const kind = target && this.deps.kinds.find(target.group, target.version, target.plural);
    const isStream = STREAMS.has(target?.subresource ?? '');
    if (target === undefined || kind === undefined || !isStream) throw notServed();
    const { exec, portForward, proxies, authorizer } = this.deps;
    if (target.subresource === 'proxy') {
      if (!isProxied(target)) throw notServed();
      authorizer.authorize(request.user, attributesOf(request, target));
      using _idle = this.endsWhenIdle(connection);
      await proxies.upgrade({ kind, target, request }, connection, (status) => {
        if (status === SWITCHING_PROTOCOLS) record?.upgraded();
        else record?.answered({ status });
      });
      return;
    }
    authorizer.authorize(request.user, upgradeAttributes(request, target));
    if (target.subresource === 'portforward') {
      const plan = await portForward.plan(kind, target, request);
      record?.upgraded();
      using _idle = this.endsWhenIdle(connection);
      await portForward.serve(plan, connection, request.signal);
      return;
    }
    const plan = await exec.plan(kind, target, target.subresource === 'attach', request);
    checkProtocol(request);
    record?.upgraded();
    using _idle = this.endsWhenIdle(connection);
    await exec.serve(plan, connection, request.signal);
  }

  private endsWhenIdle({ socket }: UpgradingConnection): Disposable {
    const { streamIdleMs, clock } = this.deps;
    const callOff = onIdle(socket, streamIdleMs, clock, () => socket.destroy());
    return { [Symbol.dispose]: callOff };
  }

  private async answer(asked: ApiRequest, target: Target): Promise<ApiResponse> {
    const { tracing, clock } = this.deps;
    const receivedMs = tracing && clock.now();
    const open = await servePublic(asked, this.deps);
    if (open !== undefined) return open;
    const known = await this.identified(asked, target);
    if (receivedMs === undefined || isLongRunning(asked, target))
      return this.recordedAnswer(known, target);
    return this.tracedAnswer(known, target, receivedMs);
  }

  private async tracedAnswer(
    known: Identified,
    target: Target,
    receivedMs: number,
  ): Promise<ApiResponse> {
    using span = this.spanOf(known, target, receivedMs);
    if (span === undefined) return await this.recordedAnswer(known, target);
    const traced = { ...known, request: { ...known.request, span } };
    const response = await orRefusal(() => this.recordedAnswer(traced, target));
    noteAnswer(span, response);
    return response;
  }

  private spanOf(
    { caller, request }: Identified,
    target: Target,
    receivedMs: number,
  ): Span | undefined {
    const { tracing, kinds } = this.deps;
    const isServed = target && kinds.find(target.group, target.version, target.plural);
    // Paths that name nothing served are anyone's invention: their spans have one name.
    const served = isServed === undefined ? undefined : target;
    return tracing && requestSpan(tracing, { request, caller, target: served, receivedMs });
  }

  private async recordedAnswer(
    { caller, request }: Identified,
    target: Target,
  ): Promise<ApiResponse> {
    const record = this.recordOf(caller, request, target);
    const answer = () => this.placedAnswer(record?.observed ?? request, target);
    if (record === undefined) return answer();
    return record.answered(await orRefusal(answer));
  }

  private async placedAnswer(request: ApiRequest, target: Target): Promise<ApiResponse> {
    using place = await this.place(request, target);
    const placed = place === undefined ? request : { ...request, place };
    const response = await this.identifiedAnswer(placed, target);
    place?.passOn(response);
    return response;
  }

  /** The request as the user it acts for. @throws Unauthorized, Forbidden; both are recorded */
  private async identified(request: ApiRequest, target: Target): Promise<Identified> {
    const { auditor, authorizer } = this.deps;
    const attributes = requestAttributes(request, target);
    const caller = await callerOf(request, this.deps);
    if (caller === undefined || (isAnonymous(caller) && !this.deps.takesAnonymous(request.path))) {
      auditor?.refused(request, attributes, target?.version ?? '');
      throw new ApiError('Unauthorized', 'Unauthorized');
    }
    if (!isAnonymous(caller)) request.noteIdentified?.(caller);
    try {
      const user = actingUser(caller, request.headers, attributes, authorizer);
      return { caller, request: { ...request, user } };
    } catch (error) {
      const record = this.recordOf(caller, { ...request, user: caller }, target, FORBIDDEN);
      record?.answered(statusResponse(toApiError(error).toStatus()));
      throw error;
    }
  }

  private recordOf(
    user: User,
    request: ApiRequest,
    target: Target,
    given?: Verdict,
  ): AuditRecord | undefined {
    const { auditor, authorizer } = this.deps;
    if (auditor === undefined) return undefined;
    const attributes = requestAttributes(request, target);
    return auditor.begin(request, {
      user,
      ...(request.user === user ? {} : { acting: request.user }),
      attributes,
      version: target?.version ?? '',
      verdict: given ?? authorizer.judge(request.user, attributes),
    });
  }

  /** @throws TooManyRequests */
  private async place(request: ApiRequest, target: Target): Promise<Place | undefined> {
    if (isLongRunning(request, target)) return undefined;
    const requestClass = request.method === 'GET' ? 'readonly' : 'mutating';
    const sharer = sharerOf(request.user);
    const isOfNode = request.user.groups.includes(NODES_GROUP);
    const isUrgent = isOfNode || sharer === undefined || isLease(target);
    const kind = target && this.deps.kinds.find(target.group, target.version, target.plural);
    const isList = requestClass === 'readonly' && target?.name === '' && kind !== undefined;
    const seats = isList ? this.deps.rest.seatsOfList(kind, request, target) : 1;
    const { inFlight } = this.deps;
    const caller = { sharer, isUrgent, seats };
    return new Place(await inFlight.enter(requestClass, caller, request.signal), request.signal);
  }

  private async identifiedAnswer(request: ApiRequest, target: Target): Promise<ApiResponse> {
    const kind = target && this.deps.kinds.find(target.group, target.version, target.plural);
    if (target !== undefined && kind !== undefined) {
      const permit = Permit.of(request.user, attributesOf(request, target), this.deps.authorizer);
      return this.deps.rest.handle(request, target, permit);
    }
    const reviewed = await firstOf(this.deps.reviews, request);
    if (reviewed !== undefined) return reviewed;
    this.deps.authorizer.authorize(request.user, pathAttributes(request));
    if (request.path === '/metrics' && request.method === 'GET') return this.deps.scrape();
    const answer =
      (await serveCheck(request, this.deps)) ??
      (await firstOf(this.deps.paths, request)) ??
      serveDiscovery(this.deps.discovery, request);
    if (answer !== undefined) return answer;
    if (this.isOfOwnGroup(target)) throw notServed();
    // As upstream: what has no handler is no answer of the API.
    return textResponse('404 page not found\n', 404);
  }

  /** In a group version that is always there; those that users define come and go. */
  private isOfOwnGroup(target: Target): boolean {
    if (target === undefined) return false;
    const { discovery, kinds } = this.deps;
    const isCustom = kinds.kinds.some(
      ({ resource: { group, version }, definitionName }) =>
        definitionName !== undefined && group === target.group && version === target.version,
    );
    return !isCustom && discovery.resourceList(target.group, target.version) !== undefined;
  }
}

const firstOf = async (
  all: readonly Answerer[],
  request: ApiRequest,
): Promise<ApiResponse | undefined> => {
  for (const answer of all) {
    const response = await answer(request);
    if (response !== undefined) return response;
  }
  return undefined;
};

/** A place among the requests that are served: kept until the answer is made, or a large one is sent. */
class Place implements Yielding, Disposable {
  private isPassedOn = false;

  constructor(
    private readonly held: HeldPlace,
    private readonly signal: AbortSignal,
  ) {}

  passOn({ body }: ApiResponse): void {
    const isSmall =
      body === undefined ||
      ((typeof body === 'string' || body instanceof Uint8Array) && body.length < SMALL_BYTES);
    if (isSmall || this.signal.aborted) return;
    this.isPassedOn = true;
    onAbort(this.signal, () => this.held[Symbol.dispose]());
  }

  aside<T>(work: () => Promise<T>): Promise<T> {
    return this.held.aside(work);
  }

  [Symbol.dispose](): void {
    if (!this.isPassedOn) this.held[Symbol.dispose]();
  }
}

const isLease = (target: Target): boolean =>
  target?.group === LEASES.group && target.plural === LEASES.plural;

/** What lasts as long as its caller likes. */
const isLongRunning = ({ method, query }: ApiRequest, target?: ResourceTarget): boolean =>
  target !== undefined &&
  (isProxied(target) ||
    (method === 'GET' &&
      (isTrue(query, 'watch') || (target.subresource === 'log' && isTrue(query, 'follow')))));

/** Answered by a pod: a node says no more than this server asks it for. */
const isProxied = ({ group, plural, subresource }: ResourceTarget): boolean =>
  subresource === 'proxy' && group === '' && plural !== NODES.plural;

interface Identified {
  /** Who asks, whomever the request acts as. */
  readonly caller: User;
  readonly request: ApiRequest;
}

const requestAttributes = (request: ApiRequest, target: Target): Attributes =>
  target === undefined ? pathAttributes(request) : attributesOf(request, target);

/** What the API refuses is an answer too. */
const orRefusal = async (answer: () => Promise<ApiResponse>): Promise<ApiResponse> => {
  try {
    return await answer();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return statusResponse(toApiError(error).toStatus());
  }
};

/** Who a token says it is, or else the client certificate. */
const callerOf = async (
  { user, headers, signal }: ApiRequest,
  { tokens, oidc, isOutdated }: Pick<ApiHandlerDeps, 'tokens' | 'oidc' | 'isOutdated'>,
): Promise<User | undefined> => {
  const { authorization } = headers;
  if (authorization === undefined) return isOutdated(user) ? undefined : user;
  const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
  if (token === undefined) return undefined;
  return (await tokens.userOf(token, [ISSUER], signal)) ?? oidc?.userOf(token, signal);
};

/** Of who may not act as whom they name. */
const FORBIDDEN: Verdict = { isAllowed: false, why: '' };
const SWITCHING_PROTOCOLS = 101;
const STREAMS: ReadonlySet<string> = new Set(['exec', 'attach', 'portforward', 'proxy']);
/** The answer is copied to the kernel at once. */
const SMALL_BYTES = 64 * 1024;
const METHODS = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']);
