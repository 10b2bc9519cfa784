import { CelRuntimeError } from '../errors';
import { PER_CALL_LIMIT } from '../meter';
import { BOOL, opaque, STRING, type CelType } from '../types';
import { CelOpaque } from '../values';
import { dns1123LabelProblems, dns1123SubdomainProblems } from '../../names';
import { member, type Library } from './function';

/** What an expression asks of the authorizer. */
export interface AccessQuestion {
  /** Somebody else than who makes the request. */
  readonly serviceAccount?: { readonly namespace: string; readonly name: string };
  readonly verb: string;
  /** Of a request that is about no resource. */
  readonly path?: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
}

/** Whether it is allowed, and why. */
export type JudgeAccess = (question: AccessQuestion) => {
  readonly isAllowed: boolean;
  readonly reason: string;
};

type Asked = Partial<Omit<AccessQuestion, 'verb'>>;

abstract class Part extends CelOpaque {
  constructor(
    readonly judge: JudgeAccess,
    readonly asked: Asked,
  ) {
    super();
  }
}

export const AUTHORIZER: CelType<AuthorizerValue> = opaque('kubernetes.authorization.Authorizer');
export const RESOURCE_CHECK: CelType<ResourceCheck> = opaque(
  'kubernetes.authorization.ResourceCheck',
);
const PATH_CHECK: CelType<PathCheck> = opaque('kubernetes.authorization.PathCheck');
const GROUP_CHECK: CelType<GroupCheck> = opaque('kubernetes.authorization.GroupCheck');
const DECISION: CelType<Decision> = opaque('kubernetes.authorization.Decision');

/** The variable `authorizer`. */
export class AuthorizerValue extends Part {
  readonly type: CelType = AUTHORIZER;
}

/** The variable `authorizer.requestResource`, and what leads there. */
export class ResourceCheck extends Part {
  readonly type: CelType = RESOURCE_CHECK;
}

class PathCheck extends Part {
  readonly type: CelType = PATH_CHECK;
}

class GroupCheck extends Part {
  readonly type: CelType = GROUP_CHECK;
}

class Decision extends CelOpaque {
  readonly type: CelType = DECISION;

  constructor(
    readonly isAllowed: boolean,
    readonly reason: string,
  ) {
    super();
  }
}

const filled = (text: string, what: string): string => {
  if (text.trim() === '') throw new CelRuntimeError(`${what} must not be empty`);
  return text;
};

const serviceAccount = (namespace: string, name: string) => {
  const [wrongName] = dns1123SubdomainProblems(name);
  if (wrongName !== undefined) throw new CelRuntimeError(`Invalid service account name`);
  const [wrongNamespace] = dns1123LabelProblems(namespace);
  if (wrongNamespace !== undefined) throw new CelRuntimeError('Invalid service account namespace');
  return { namespace, name };
};

const narrowed = (key: keyof Asked) =>
  member(
    [RESOURCE_CHECK, STRING],
    RESOURCE_CHECK,
    (_meter, { judge, asked }, value) => new ResourceCheck(judge, { ...asked, [key]: value }),
  );

const decide = ({ judge, asked }: Part, verb: string): Decision => {
  const { isAllowed, reason } = judge({ ...NOTHING, ...asked, verb });
  return new Decision(isAllowed, reason);
};

export const AUTHORIZER_LIBRARY: Library = {
  path: [
    member(
      [AUTHORIZER, STRING],
      PATH_CHECK,
      (_meter, { judge, asked }, path) =>
        new PathCheck(judge, { ...asked, path: filled(path, 'path') }),
    ),
  ],
  group: [
    member(
      [AUTHORIZER, STRING],
      GROUP_CHECK,
      (_meter, { judge, asked }, group) => new GroupCheck(judge, { ...asked, group }),
    ),
  ],
  serviceAccount: [
    member(
      [AUTHORIZER, STRING, STRING],
      AUTHORIZER,
      (_meter, { judge, asked }, namespace, name) =>
        new AuthorizerValue(judge, { ...asked, serviceAccount: serviceAccount(namespace, name) }),
    ),
  ],
  resource: [
    member(
      [GROUP_CHECK, STRING],
      RESOURCE_CHECK,
      (_meter, { judge, asked }, resource) =>
        new ResourceCheck(judge, { ...asked, resource: filled(resource, 'resource') }),
    ),
  ],
  subresource: [narrowed('subresource')],
  namespace: [narrowed('namespace')],
  name: [narrowed('name')],
  fieldSelector: [narrowed('fieldSelector')],
  labelSelector: [narrowed('labelSelector')],
  check: [PATH_CHECK, RESOURCE_CHECK].map((type) =>
    member([type as typeof PATH_CHECK, STRING], DECISION, (meter, part, verb) => {
      meter.charge(CHECK_COST);
      return decide(part, verb);
    }),
  ),
  allowed: [member([DECISION], BOOL, (_meter, { isAllowed }) => isAllowed)],
  reason: [member([DECISION], STRING, (_meter, { reason }) => reason)],
  // Roles are at hand: to look at them never fails.
  errored: [member([DECISION], BOOL, () => false)],
  error: [member([DECISION], STRING, () => '')],
};

const NOTHING = { group: '', resource: '', subresource: '', namespace: '', name: '' };
/** As upstream: two checks an expression, no more. */
const CHECK_COST = PER_CALL_LIMIT * 0.35;
