import { parseTraceparent } from '../../lib/tracing/traceparent';
import type { Span, Tracing } from '../../lib/tracing/tracing';
import { attributesOf } from './auth/request-attributes';
import { MASTERS, type User } from './auth/user';
import type { ApiRequest, ApiResponse } from './http/exchange';
import type { ResourceTarget } from './http/request-target';

export interface TracedRequest {
  readonly request: ApiRequest;
  /** Who asks, whomever the request acts as. */
  readonly caller: User;
  /** What the path names, if that is served. */
  readonly target: ResourceTarget | undefined;
  /** Wall clock. */
  readonly receivedMs: number;
}

/**
 * The span of a request; undefined when it is not sampled. As upstream has it, only privileged callers
 * and monitoring have their trace gone on with: that of others could sample all that they ask.
 * Source: upstream's apiserver/pkg/endpoints/filters/traces.go.
 */
export const requestSpan = (
  tracing: Tracing,
  { request, caller, target, receivedMs }: TracedRequest,
): Span | undefined => {
  const context = parseTraceparent(request.headers['traceparent']);
  return tracing.request(spanNameOf(request.method, target), {
    ...(context === undefined ? {} : { caller: context }),
    isTrusted: caller.groups.some((group) => TRUSTED.has(group)),
    startMs: receivedMs,
    attributes: {
      'http.request.method': request.method,
      'url.path': request.path,
      ...(target === undefined ? {} : resourceAttributes(request, target)),
    },
  });
};

const resourceAttributes = (request: ApiRequest, target: ResourceTarget) => {
  const { verb, resource, namespace, name, subresource } = attributesOf(request, target);
  return {
    'k8s.verb': verb,
    'k8s.resource': subresource === '' ? resource : `${resource}/${subresource}`,
    ...(namespace === '' ? {} : { 'k8s.namespace.name': namespace }),
    ...(name === '' ? {} : { 'k8s.object.name': name }),
  };
};

/** As upstream names it: of names and namespaces there may be any number, of span names not. */
export const spanNameOf = (method: string, target: ResourceTarget | undefined): string => {
  if (target === undefined) return method;
  const { group, version, namespace, plural, name, subresource } = target;
  const parts = [
    ...(group === '' ? ['api'] : ['apis', group]),
    version,
    ...(namespace === '' ? [] : ['namespaces', '{:namespace}']),
    plural,
    ...(name === '' ? [] : ['{:name}']),
    ...(subresource === '' ? [] : [subresource]),
  ];
  return `${method} /${parts.join('/')}`;
};

export const noteAnswer = (span: Span, { status }: ApiResponse): void => {
  span.set({ 'http.response.status_code': status });
  if (status >= 500) span.fail(`status ${status}`);
};

const TRUSTED: ReadonlySet<string> = new Set([MASTERS, 'system:monitoring']);
