import { randomUUID } from 'node:crypto';
import type { Json } from '../../../api/json-value';
import { decodeProtobuf, PROTOBUF_MEDIA_TYPE } from '../../../api/protobuf/decode';
import { onAbort } from '../../../lib/async/on-abort';
import { rfc3339Micro, type Clock } from '../../../lib/clock';
import { parseJson, stringifyJson, isJsonObject } from '../../../lib/json';
import type { Attributes } from '../auth/access-attributes';
import type { Verdict } from '../auth/node-authorizer';
import type { User } from '../auth/user';
import type { Annotate, ApiRequest, ApiResponse } from '../http/exchange';
import { decideAudit, type AuditDecision, type AuditPolicy, type Stage } from './policy';

export interface AuditorDeps {
  readonly policy: AuditPolicy;
  readonly sink: AuditSink;
  readonly clock: Clock;
}

interface AuditSink {
  write(line: string): void;
  /** Lines that were never written. */
  readonly droppedCount?: number;
}

/** Who asks for what, as it is known after authentication. */
export interface AuditedRequest {
  /** The caller, and whom it acts as if that is another. */
  readonly user: User;
  readonly acting?: User;
  readonly attributes: Attributes;
  readonly version: string;
  /** Absent when it came to none. */
  readonly verdict?: Verdict;
}

/** Writes down who did what, as a policy of audit.k8s.io says. */
export class Auditor {
  /** Of the second that now is: who has no name must not push out what others did. */
  private strangers = { second: 0, count: 0 };
  private passedOverCount = 0;

  constructor(private readonly deps: AuditorDeps) {}

  /** Events that should have been written and were not. */
  get lostCount(): number {
    return (this.deps.sink.droppedCount ?? 0) + this.passedOverCount;
  }

  /** A record of one request from now on; undefined when nothing is to be written of it. */
  begin(request: ApiRequest, asked: AuditedRequest): AuditRecord | undefined {
    const decision = decideAudit(this.deps.policy, asked.user, asked.attributes);
    return decision.level === 'None'
      ? undefined
      : new AuditRecord(this.deps, request, asked, decision);
  }

  /** Of a request whose author is not known. At most a few each second are written. */
  refused(request: ApiRequest, attributes: Attributes, version: string): void {
    const user: User = { name: '', groups: [] };
    const decision = decideAudit(this.deps.policy, user, attributes);
    if (decision.level === 'None' || decision.omitStages.includes('ResponseStarted')) return;
    const second = Math.floor(this.deps.clock.monotonicMs() / 1000);
    if (this.strangers.second !== second) this.strangers = { second, count: 0 };
    if (++this.strangers.count > STRANGERS_PER_SECOND) this.passedOverCount++;
    else {
      const asked = { user, attributes, version };
      const metadataOnly = { ...decision, level: 'Metadata' as const };
      new AuditRecord(this.deps, request, asked, metadataOnly).unauthorized();
    }
  }
}

/** What is written of one request, stage by stage. */
export class AuditRecord {
  private readonly id: string;
  private readonly receivedAt: string;
  private body: Buffer | undefined;
  private readonly annotations = new Map<string, string>();

  constructor(
    private readonly deps: AuditorDeps,
    private readonly request: ApiRequest,
    private readonly asked: AuditedRequest,
    private readonly decision: AuditDecision,
  ) {
    this.id = (request.headers['audit-id'] ?? '').slice(0, ID_LENGTH_MAX) || randomUUID();
    this.receivedAt = rfc3339Micro(deps.clock.now());
    if (asked.user.name !== '') this.write('RequestReceived', {});
  }

  /** Of who has no name only this is written. */
  unauthorized(): void {
    const message = `Authentication failed, ${triedIn(this.request)}`;
    this.write('ResponseStarted', { responseStatus: { metadata: {}, message, code: 401 } });
  }

  /** The request, of which the body is noted as it is read, and what is said of it. */
  get observed(): ApiRequest {
    const annotate: Annotate = (key, value) => this.annotate(key, value);
    const request = { ...this.request, annotate };
    if (this.decision.level === 'Metadata') return request;
    return {
      ...request,
      body: async () => {
        const body = await request.body();
        this.body = body;
        return body;
      },
    };
  }

  /** The answer, with the id of this record. What lasts is complete when its request ends. */
  answered(response: ApiResponse): ApiResponse {
    const { status, body, isDocument = false } = response;
    const isStream = typeof body === 'object' && !(body instanceof Uint8Array) && !isDocument;
    const code = { responseStatus: { metadata: {}, code: status } };
    if (isStream) {
      this.write('ResponseStarted', code);
      onAbort(this.request.signal, () => this.write('ResponseComplete', code));
    } else this.complete(response);
    return { ...response, headers: { ...response.headers, 'audit-id': this.id } };
  }

  /** Of an upgraded connection: it begins, and ends with the request. */
  upgraded(): void {
    this.answered({ status: 101, body: NO_EVENTS });
  }

  private annotate(key: string, value: string): void {
    const { annotations } = this;
    const isTaken = annotations.has(key) || annotations.size >= ANNOTATIONS_MAX;
    if (!isTaken && ANNOTATION_KEY.test(key)) annotations.set(key, value.slice(0, VALUE_MAX));
  }

  private complete({ status, body }: ApiResponse): void {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    const isWanted = status >= 400 || this.decision.level === 'RequestResponse';
    const answer = isWanted && bytes instanceof Uint8Array ? objectIn(bytes) : undefined;
    const failure = status >= 400 && isJsonObject(answer) ? answer : {};
    const { message, reason } = failure;
    this.write('ResponseComplete', {
      responseStatus: {
        metadata: {},
        ...(status >= 400 ? { status: 'Failure', message, reason } : {}),
        code: status,
      },
      ...(this.decision.level === 'RequestResponse' && answer !== undefined
        ? { responseObject: this.shown(answer) }
        : {}),
    });
  }

  private write(stage: Stage, more: Json): void {
    const { decision, request, asked, deps } = this;
    if (decision.omitStages.includes(stage)) return;
    const { user, acting, attributes, verdict } = asked;
    const isStranger = user.name === '';
    const sent = stage === 'RequestReceived' ? undefined : this.requestObject();
    const query = request.query.toString();
    const isFirst = stage === 'RequestReceived';
    deps.sink.write(
      stringifyJson({
        kind: 'Event',
        apiVersion: 'audit.k8s.io/v1',
        level: decision.level,
        auditID: this.id,
        stage,
        requestURI: (request.path + (query === '' ? '' : `?${query}`)).slice(0, URI_LENGTH_MAX),
        verb: attributes.verb,
        user: isStranger ? {} : userInfo(user),
        ...(acting === undefined ? {} : { impersonatedUser: userInfo(acting) }),
        ...(request.sourceIp === undefined ? {} : { sourceIPs: [request.sourceIp] }),
        userAgent: request.headers['user-agent']?.slice(0, AGENT_LENGTH_MAX),
        ...(attributes.path === undefined ? { objectRef: this.reference(sent) } : {}),
        ...more,
        ...(sent === undefined ? {} : { requestObject: sent }),
        requestReceivedTimestamp: this.receivedAt,
        stageTimestamp: isFirst ? this.receivedAt : rfc3339Micro(deps.clock.now()),
        ...(isFirst || verdict === undefined
          ? {}
          : {
              annotations: {
                ...Object.fromEntries(this.annotations),
                'authorization.k8s.io/decision': verdict.isAllowed ? 'allow' : 'forbid',
                'authorization.k8s.io/reason': verdict.why,
              },
            }),
      }),
    );
  }

  private reference(sent: unknown): Json {
    const { group, resource, subresource, namespace, name } = this.asked.attributes;
    const metadata = isJsonObject(sent) && isJsonObject(sent['metadata']) ? sent['metadata'] : {};
    const named = name === '' && typeof metadata['name'] === 'string' ? metadata['name'] : name;
    return Object.fromEntries(
      Object.entries({
        resource,
        namespace,
        name: named,
        apiGroup: group,
        apiVersion: this.asked.version,
        subresource,
      }).filter(([, value]) => value !== ''),
    );
  }

  private requestObject(): unknown {
    if (this.body === undefined || this.body.length === 0) return undefined;
    const isProtobuf = (this.request.headers['content-type'] ?? '').startsWith(PROTOBUF_MEDIA_TYPE);
    const object = isProtobuf ? messageIn(this.body) : objectIn(this.body);
    return object === undefined ? undefined : this.shown(object);
  }

  private shown(object: unknown): unknown {
    return this.decision.omitManagedFields ? withoutManagedFields(object) : object;
  }
}

/** In upstream's words, how somebody tried to say who they are. */
const triedIn = ({ headers }: ApiRequest): string => {
  const scheme = /^(bearer|basic) /i.exec(headers['authorization'] ?? '')?.[1];
  return scheme === undefined ? 'no credentials provided' : `attempted: ${scheme.toLowerCase()}`;
};

const userInfo = ({ name, uid, groups, extra }: User): Json => ({
  username: name,
  ...(uid === undefined ? {} : { uid }),
  groups,
  ...(extra === undefined ? {} : { extra }),
});

/** Larger ones are left out: reading them would keep the event loop. */
const objectIn = (bytes: Uint8Array): unknown => {
  if (bytes.length > OBJECT_BYTES_MAX) return undefined;
  try {
    return parseJson(bytes);
  } catch {
    return undefined;
  }
};

const messageIn = (bytes: Uint8Array): unknown => {
  if (bytes.length > OBJECT_BYTES_MAX) return undefined;
  try {
    return decodeProtobuf(bytes, FIELDS_MAX).object;
  } catch {
    return undefined;
  }
};

const withoutManagedFields = (object: unknown): unknown => {
  if (!isJsonObject(object)) return object;
  const { metadata, items } = object;
  const { managedFields: _none, ...kept } = isJsonObject(metadata) ? metadata : {};
  return {
    ...object,
    ...(isJsonObject(metadata) ? { metadata: kept } : {}),
    ...(Array.isArray(items) ? { items: items.map(withoutManagedFields) } : {}),
  };
};

const NO_EVENTS: AsyncIterable<Uint8Array> = {
  [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: undefined }) }),
};
const STRANGERS_PER_SECOND = 50;
const ANNOTATIONS_MAX = 128;
const VALUE_MAX = 16 * 1024;
const ANNOTATION_KEY = /^[a-z0-9][-a-z0-9.]{0,252}\/[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const ID_LENGTH_MAX = 64;
const URI_LENGTH_MAX = 16 * 1024;
const AGENT_LENGTH_MAX = 1024;
const OBJECT_BYTES_MAX = 256 * 1024;
const FIELDS_MAX = 100_000;
