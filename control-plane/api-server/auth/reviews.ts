import { ApiError } from '../../../api/errors';
import type { CreateOnlyResource } from '../discovery/discovery';
import { jsonResponse, type ApiRequest, type ApiResponse } from '../http/exchange';
import { parseResourcePath } from '../http/request-target';
import { fieldsAt, isFields, textAt, type Fields } from '../kinds/mutable';
import { readValue } from '../rest/body';
import { isAllowed, type Attributes } from './authorizer';
import { MASTERS, nodeNameOf, type User } from './user';

/** Questions about oneself, asked by POST and answered without being stored. */
export const REVIEWS: readonly CreateOnlyResource[] = [
  review('authentication.k8s.io', 'SelfSubjectReview', 'selfsubjectreviews'),
  review('authorization.k8s.io', 'SelfSubjectAccessReview', 'selfsubjectaccessreviews'),
  review('authorization.k8s.io', 'SelfSubjectRulesReview', 'selfsubjectrulesreviews'),
];

/** Answers who the caller is and what it may do; undefined for other requests. */
export const serveReview = async (request: ApiRequest): Promise<ApiResponse | undefined> => {
  const target = parseResourcePath(request.path);
  const asked = REVIEWS.find(
    ({ group, version, plural }) =>
      group === target?.group && version === target.version && plural === target.plural,
  );
  if (asked === undefined) return undefined;
  if (request.method !== 'POST' || target?.name !== '')
    throw new ApiError(
      'MethodNotAllowed',
      'the server does not allow this method on the requested resource',
    );
  const { group, version, kind } = asked;
  // A review of oneself has no input, whatever its encoding.
  const body = kind === 'SelfSubjectReview' ? {} : ((await readValue(request)) ?? {});
  if (!isFields(body)) throw new ApiError('BadRequest', `a ${kind} must be an object`);
  return jsonResponse(
    {
      kind,
      apiVersion: `${group}/${version}`,
      metadata: { creationTimestamp: null },
      ...(body['spec'] === undefined ? {} : { spec: body['spec'] }),
      status: answer(kind, request.user, fieldsAt(body, 'spec')),
    },
    201,
  );
};

function review(group: string, kind: string, plural: string): CreateOnlyResource {
  return { group, version: 'v1', kind, plural };
}

const answer = (kind: string, user: User, spec: Fields): object => {
  if (kind === 'SelfSubjectReview')
    return {
      userInfo: {
        username: user.name,
        groups: user.groups,
        ...(user.extra === undefined ? {} : { extra: user.extra }),
      },
    };
  return kind === 'SelfSubjectAccessReview' ? accessOf(user, spec) : rulesOf(user);
};

const accessOf = (user: User, spec: Fields): object => {
  const attributes = attributesIn(spec);
  if (attributes === undefined)
    throw new ApiError(
      'Invalid',
      'SelfSubjectAccessReview.authorization.k8s.io "" is invalid: spec.resourceAttributes: ' +
        'Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be ' +
        'specified',
    );
  return { allowed: isAllowed(user, attributes) };
};

const attributesIn = (spec: Fields): Attributes | undefined => {
  const resource = spec['resourceAttributes'];
  const path = spec['nonResourceAttributes'];
  if (isFields(resource) === isFields(path)) return undefined;
  const from = isFields(resource) ? resource : path;
  return {
    verb: textAt(from, 'verb'),
    group: textAt(from, 'group'),
    resource: textAt(from, 'resource'),
    subresource: textAt(from, 'subresource'),
    namespace: textAt(from, 'namespace'),
    name: textAt(from, 'name'),
    ...(isFields(path) ? { path: textAt(path, 'path') } : {}),
  };
};

/** An overview for people: the authorizer, not this list, decides. */
const rulesOf = (user: User): object => {
  const all = ['*'];
  const isMaster = user.groups.includes(MASTERS);
  const everything = [{ verbs: all, apiGroups: all, resources: all }];
  return {
    resourceRules: isMaster ? everything : [],
    nonResourceRules: isMaster ? [{ verbs: all, nonResourceURLs: all }] : PUBLIC_RULES,
    incomplete: nodeNameOf(user) !== undefined,
  };
};

const PUBLIC_RULES = [
  {
    verbs: ['get'],
    nonResourceURLs: ['/api', '/api/*', '/apis', '/apis/*', '/openapi/*', '/version', '/healthz'],
  },
];
