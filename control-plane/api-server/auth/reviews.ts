import { ApiError } from '../../../api/errors';
import { invalid, invalidError } from '../../../api/validation/field-error';
import type { CreateOnlyResource } from '../discovery/discovery';
import { jsonResponse, type ApiRequest, type ApiResponse } from '../http/exchange';
import { parseResourcePath } from '../http/request-target';
import { fieldsAt, isFields, listAt, textAt, type Fields } from '../kinds/mutable';
import { readValue } from '../rest/body';
import type { Authorizer } from './authorizer';
import type { Attributes } from './access-attributes';
import { ISSUER, type ServiceAccountTokens } from './service-account-tokens';
import { nodeNameOf, type User } from './user';

/** Questions that are asked by POST and answered without being stored. */
export const REVIEWS: readonly CreateOnlyResource[] = [
  review('authentication.k8s.io', 'SelfSubjectReview', 'selfsubjectreviews'),
  review('authentication.k8s.io', 'TokenReview', 'tokenreviews'),
  review('authorization.k8s.io', 'SelfSubjectAccessReview', 'selfsubjectaccessreviews'),
  review('authorization.k8s.io', 'SelfSubjectRulesReview', 'selfsubjectrulesreviews'),
  review('authorization.k8s.io', 'SubjectAccessReview', 'subjectaccessreviews'),
];

/** Answers who the caller is and what it may do; undefined for other requests. */
export const serveReview = async (
  request: ApiRequest,
  authorizer: Authorizer,
  tokens: ServiceAccountTokens,
): Promise<ApiResponse | undefined> => {
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
  const { group, version, kind, plural } = asked;
  const { namespace } = target;
  authorizer.authorize(request.user, {
    verb: 'create',
    group,
    resource: plural,
    subresource: '',
    namespace,
    name: '',
  });
  // A review of oneself has no input, whatever its encoding.
  const body = kind === 'SelfSubjectReview' ? {} : ((await readValue(request)) ?? {});
  if (!isFields(body)) throw new ApiError('BadRequest', `a ${kind} must be an object`);
  return jsonResponse(
    {
      kind,
      apiVersion: `${group}/${version}`,
      metadata: { creationTimestamp: null },
      ...(body['spec'] === undefined ? {} : { spec: body['spec'] }),
      status:
        kind === 'TokenReview'
          ? await ownerOf(fieldsAt(body, 'spec'), tokens, request.signal)
          : answer(kind, request.user, fieldsAt(body, 'spec'), authorizer),
    },
    201,
  );
};

function review(group: string, kind: string, plural: string): CreateOnlyResource {
  return { group, version: 'v1', kind, plural };
}

const answer = (kind: string, user: User, spec: Fields, authorizer: Authorizer): object => {
  if (kind === 'SelfSubjectReview')
    return {
      userInfo: {
        username: user.name,
        ...(user.uid === undefined ? {} : { uid: user.uid }),
        groups: user.groups,
        ...(user.extra === undefined ? {} : { extra: user.extra }),
      },
    };
  switch (kind) {
    case 'SelfSubjectAccessReview':
      return accessOf(kind, user, spec, authorizer);
    case 'SelfSubjectRulesReview':
      return rulesOf(user, textAt(spec, 'namespace'), authorizer);
    default:
      return accessOf(kind, subjectOf(spec), spec, authorizer);
  }
};

/** Whose token it is, as others ask who were given one. */
const ownerOf = async (
  spec: Fields,
  tokens: ServiceAccountTokens,
  signal: AbortSignal,
): Promise<object> => {
  const given = listAt(spec, 'audiences').map(String);
  const audiences = given.length === 0 ? [ISSUER] : given;
  const user = await tokens.userOf(textAt(spec, 'token'), audiences, signal);
  if (user === undefined) return { user: {}, error: 'the token does not hold' };
  const { name, groups, extra = {} } = user;
  return { authenticated: true, user: { username: name, groups, extra }, audiences };
};

/** Whom a review that is not about oneself is about. */
const subjectOf = (spec: Fields): User => ({
  name: textAt(spec, 'user'),
  groups: listAt(spec, 'groups').map(String),
});

const accessOf = (kind: string, user: User, spec: Fields, authorizer: Authorizer): object => {
  const attributes = attributesIn(spec);
  const problem =
    attributes === undefined
      ? invalid(
          'spec.resourceAttributes',
          null,
          'exactly one of nonResourceAttributes or resourceAttributes must be specified',
        )
      : user.name === '' && user.groups.length === 0
        ? invalid('spec.user', '', 'at least one of user or group must be specified')
        : undefined;
  if (attributes === undefined || problem !== undefined)
    throw invalidError(
      { group: 'authorization.k8s.io', kind },
      '',
      problem === undefined ? [] : [problem],
    );
  return { allowed: authorizer.isAllowed(user, attributes) };
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

/** What roles allow: nodes may do more, which this does not tell. */
const rulesOf = (user: User, namespace: string, authorizer: Authorizer): object => {
  const rules = authorizer.rulesFor(user, namespace);
  return {
    resourceRules: rules
      .filter(({ resources = [] }) => resources.length > 0)
      .map(({ verbs, apiGroups, resources, resourceNames }) => ({
        verbs,
        apiGroups,
        resources,
        ...(resourceNames === undefined ? {} : { resourceNames }),
      })),
    nonResourceRules: rules
      .filter(({ nonResourceURLs = [] }) => nonResourceURLs.length > 0)
      .map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs })),
    incomplete: nodeNameOf(user) !== undefined,
  };
};
