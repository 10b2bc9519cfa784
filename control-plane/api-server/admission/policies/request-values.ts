import {
  AuthorizerValue,
  ResourceCheck,
  type AccessQuestion,
  type JudgeAccess,
} from '../../../../api/cel';
import type { Resource } from '../../../../api/resources';
import type { ApiObject } from '../../../../api/types';
import type { Attributes } from '../../auth/access-attributes';
import { AUTHENTICATED, type User } from '../../auth/user';
import { textAt } from '../../kinds/mutable';
import type { ServedKind } from '../../kinds/served-kind';
import type { AdmissionAttributes } from '../attributes';
import { namespaceNameOf } from '../matching';

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

/** As an AdmissionReview has it, without the objects, which are variables of their own. */
const requestOf = (asked: AdmissionAttributes, matched: ServedKind): object => {
  const { kind, subresource, name, object, operation, user, isDryRun } = asked;
  const namespace = namespaceNameOf(asked);
  const objectName = name || (object?.metadata.name ?? '');
  return {
    kind: kindNamed(asked, matched.resource),
    resource: resourceNamed(matched.resource),
    ...(subresource === '' ? {} : { subResource: subresource, requestSubResource: subresource }),
    requestKind: kindNamed(asked, kind.resource),
    requestResource: resourceNamed(kind.resource),
    ...(objectName === '' ? {} : { name: objectName }),
    ...(namespace === '' ? {} : { namespace }),
    operation,
    userInfo: {
      username: user.name,
      ...(user.uid === undefined ? {} : { uid: user.uid }),
      groups: user.groups,
      ...(user.extra === undefined ? {} : { extra: user.extra }),
    },
    dryRun: isDryRun,
  };
};

const resourceNamed = ({ group, version, plural }: Resource): object => ({
  ...{ group, version, resource: plural },
});

/** What is posted to a subresource has a kind of its own. */
const kindNamed = (
  { object, connection, subresource }: AdmissionAttributes,
  resource: Resource,
): object => {
  const posted = object ?? connection;
  const kind = textAt(posted, 'kind');
  if (subresource === '' || kind === '' || kind === resource.kind)
    return { group: resource.group, version: resource.version, kind: resource.kind };
  const [version = '', group = ''] = textAt(posted, 'apiVersion').split('/').reverse();
  return { group, version, kind };
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

const attributesOf = (question: AccessQuestion): Attributes => {
  const { verb, path, group, resource, subresource, namespace, name } = question;
  return {
    ...{ verb, group, resource, subresource, namespace, name },
    ...(path === undefined ? {} : { path }),
  };
};
