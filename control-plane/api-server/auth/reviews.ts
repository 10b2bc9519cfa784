import { ApiError } from '../../../api/errors';
import { invalidError } from '../../../api/validation/field-error';
import type { CreateOnlyResource } from '../discovery/discovery';
import { jsonResponse, type ApiRequest, type ApiResponse } from '../http/exchange';
import { parseResourcePath } from '../http/request-target';
import { fieldsAt, isFields, listAt, textAt, type Fields } from '../kinds/mutable';
import { readValue } from '../rest/body';
import type { Authorizer } from './authorizer';
import { attributesIn, problemsOfAccess } from './review-spec';
import type { TokenAuthenticator } from './token-issuer';
import { ISSUER, type ServiceAccountTokens } from './service-account-tokens';
import { nodeNameOf, type User } from './user';

/** Questions that are asked by POST and answered without being stored. */
export const REVIEWS: readonly CreateOnlyResource[] = [
  review('authentication.k8s.io', 'SelfSubjectReview', 'selfsubjectreviews'),
  review('authentication.k8s.io', 'TokenReview', 'tokenreviews'),
  {
    ...review('authorization.k8s.io', 'LocalSubjectAccessReview', 'localsubjectaccessreviews'),
    isNamespaced: true,
  },
  review('authorization.k8s.io', 'SelfSubjectAccessReview', 'selfsubjectaccessreviews'),
  review('authorization.k8s.io', 'SelfSubjectRulesReview', 'selfsubjectrulesreviews'),
  review('authorization.k8s.io', 'SubjectAccessReview', 'subjectaccessreviews'),
];

interface Authenticators {
  readonly tokens: ServiceAccountTokens;
  readonly oidc: TokenAuthenticator | undefined;
}

/** Answers who the caller is and what it may do; undefined for other requests. */
export const serveReview = async (
  request: ApiRequest,
  authorizer: Authorizer,
  authenticators: Authenticators,
): Promise<ApiResponse | undefined> => {
  const target = parseResourcePath(request.path);
  const asked = REVIEWS.find(
    ({ group, version, plural, isNamespaced = false }) =>
      group === target?.group &&
      version === target.version &&
      plural === target.plural &&
      isNamespaced === (target.namespace !== ''),
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
          ? await ownerOf(fieldsAt(body, 'spec'), authenticators, request.signal)
          : answer(kind, request.user, { spec: fieldsAt(body, 'spec'), namespace }, authorizer),
    },
    201,
  );
};

function review(group: string, kind: string, plural: string): CreateOnlyResource {
  return { group, version: 'v1', kind, plural };
}

const answer = (
  kind: string,
  user: User,
  { spec, namespace }: { readonly spec: Fields; readonly namespace: string },
  authorizer: Authorizer,
): object => {
  if (kind === 'SelfSubjectReview') return { userInfo: userInfo(user) };
  switch (kind) {
    case 'SelfSubjectAccessReview':
      return accessOf(kind, user, spec, '', authorizer);
    case 'SelfSubjectRulesReview':
      return rulesOf(user, textAt(spec, 'namespace'), authorizer);
    default:
      return accessOf(kind, subjectOf(spec), spec, namespace, authorizer);
  }
};

const userInfo = ({ name, uid, groups, extra }: User): object => ({
  username: name,
  ...(uid === undefined ? {} : { uid }),
  groups,
  ...(extra === undefined ? {} : { extra }),
});

/** Whose token it is, as others ask who were given one. */
const ownerOf = async (
  spec: Fields,
  { tokens, oidc }: Authenticators,
  signal: AbortSignal,
): Promise<object> => {
  if (textAt(spec, 'token') === '')
    throw new ApiError('BadRequest', 'token is required for TokenReview in authentication');
  const given = listAt(spec, 'audiences').map(String);
  const audiences = given.length === 0 ? [ISSUER] : given;
  const token = textAt(spec, 'token');
  // Another issuer's tokens are for this API alone.
  const other = audiences.includes(ISSUER) ? oidc : undefined;
  const user =
    (await tokens.userOf(token, audiences, signal)) ?? (await other?.userOf(token, signal));
  if (user === undefined) return { user: {}, error: 'invalid bearer token' };
  return { authenticated: true, user: userInfo(user), audiences };
};

/** Whom a review that is not about oneself is about. */
const subjectOf = (spec: Fields): User => ({
  name: textAt(spec, 'user'),
  groups: listAt(spec, 'groups').map(String),
});

const accessOf = (
  kind: string,
  user: User,
  spec: Fields,
  place: string,
  authorizer: Authorizer,
): object => {
  const problems = problemsOfAccess(kind, spec, place);
  if (problems.length > 0)
    throw invalidError({ group: 'authorization.k8s.io', kind }, '', problems);
  const { isAllowed, why } = authorizer.judge(user, attributesIn(spec));
  return { allowed: isAllowed, ...(why === '' ? {} : { reason: why }) };
};

/** What roles allow: nodes may do more, which this does not tell. */
const rulesOf = (user: User, namespace: string, authorizer: Authorizer): object => {
  if (namespace === '') throw new ApiError('BadRequest', 'no namespace on request');
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
