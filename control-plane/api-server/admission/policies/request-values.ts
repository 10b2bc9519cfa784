import {
  AuthorizerValue,
  ResourceCheck,
  type AccessQuestion,
  type JudgeAccess,
} from '../../../../api/cel';
import type { ApiObject } from '../../../../api/types';
import type { Attributes } from '../../auth/access-attributes';
import { rawFields } from '../../auth/review-spec';
import { AUTHENTICATED, type User } from '../../auth/user';
import type { ServedKind } from '../../kinds/served-kind';
import type { AdmissionAttributes } from '../attributes';
import { requestOf } from '../webhooks/admission-request';

/** Who decides what a user may do. */
export interface AccessJudge {
  isAllowed(user: User, attributes: Attributes): boolean;
}

/** The variables that expressions have of a request, before a policy adds its own. */
export const requestValues = (
  asked: AdmissionAttributes,
  matched: ServedKind,
  { namespace, judge }: { namespace: ApiObject | undefined; judge: AccessJudge },
): Readonly<Record<string, unknown>> => {
  const decide = judgeFor(asked.user, judge);
  return {
    object: asked.object ?? asked.connection ?? null,
    oldObject: asked.old ?? null,
    request: requestOf(asked, matched),
    namespaceObject: namespace ?? null,
    authorizer: new AuthorizerValue(decide, {}),
    'authorizer.requestResource': new ResourceCheck(decide, ownResource(asked)),
  };
};

const ownResource = ({ kind, subresource, namespace, name }: AdmissionAttributes) => ({
  ...{ group: kind.resource.group, resource: kind.resource.plural, subresource, namespace, name },
});

const judgeFor =
  (user: User, judge: AccessJudge): JudgeAccess =>
  (question) => ({
    isAllowed: judge.isAllowed(accountOf(question) ?? user, attributesOf(question)),
    reason: '',
  });

const accountOf = ({ serviceAccount }: AccessQuestion): User | undefined =>
  serviceAccount && {
    name: `system:serviceaccount:${serviceAccount.namespace}:${serviceAccount.name}`,
    groups: [
      'system:serviceaccounts',
      `system:serviceaccounts:${serviceAccount.namespace}`,
      AUTHENTICATED,
    ],
  };

/** Of selectors those of fields count, and for nodes alone: roles know none, and allow all or nothing. */
const attributesOf = (question: AccessQuestion): Attributes => {
  const {
    verb,
    path,
    group,
    resource,
    subresource,
    namespace,
    name,
    fieldSelector = '',
  } = question;
  const fields = new Map(rawFields(fieldSelector));
  return {
    ...{ verb, group, resource, subresource, namespace, name },
    ...(fields.size === 0 ? {} : { fields }),
    ...(path === undefined ? {} : { path }),
  };
};
