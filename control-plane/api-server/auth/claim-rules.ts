import type { JWTPayload } from 'jose';
import {
  CelBudget,
  CelBudgetError,
  CelCompileError,
  celEnvironment,
  CelRuntimeError,
  compileCel,
  DYN,
  formatType,
  listOf,
  mapOf,
  objectType,
  STRING,
  toJson,
  type CelEnvironment,
  type CelProgram,
  type CelInput,
} from '../../../api/cel';
import { credentialOf, isOwnName, textsIn } from './token-issuer';
import { AUTHENTICATED, type User } from './user';

/** What an issuer's tokens must say, and whom they make of their bearers. */
export interface ClaimRules {
  /** @throws TokenRefusedError that says why */
  userOf(claims: JWTPayload): User;
}

/** The token is good, and its claims are not. */
export class TokenRefusedError extends Error {
  override readonly name = 'TokenRefusedError';
}

/** As the configuration has it; what is not said is empty. */
export interface ClaimSpec {
  readonly claimMappings: {
    readonly username: Named;
    readonly groups: Named;
    readonly uid: Named;
    readonly extra: readonly { readonly key: string; readonly valueExpression: string }[];
  };
  readonly claimValidationRules: readonly {
    readonly claim: string;
    readonly requiredValue: string;
    readonly expression: string;
    readonly message: string;
  }[];
  readonly userValidationRules: readonly {
    readonly expression: string;
    readonly message: string;
  }[];
}

interface Named {
  readonly claim: string;
  readonly prefix?: string | undefined;
  readonly expression: string;
}

type Path = readonly (string | number)[];

type Fail = (path: Path, message: string) => void;

/** Compiles all expressions; `fail` is told of each that cannot be. */
export const claimRules = (spec: ClaimSpec, fail: Fail): ClaimRules => {
  const rules = compileRules(spec, fail);
  checkEmail(spec, fail);
  return { userOf: (claims) => userBy(rules, claims, new CelBudget()) };
};

interface Rules {
  readonly username: Mapping | undefined;
  readonly groups: Mapping | undefined;
  readonly uid: Mapping | undefined;
  readonly extra: readonly { readonly key: string; readonly program: CelProgram | undefined }[];
  readonly checks: readonly Check[];
  readonly userChecks: readonly Check[];
}

const compileRules = (
  { claimMappings, claimValidationRules, userValidationRules }: ClaimSpec,
  fail: Fail,
): Rules => {
  const mapped = (field: 'username' | 'groups' | 'uid', wanted: 'string' | 'any') => {
    const { claim, expression, prefix = '' } = claimMappings[field];
    if (claim !== '') return { claim, prefix };
    const path = ['claimMappings', field, 'expression'];
    const program = compiled(expression, CLAIMS, wanted, path, fail);
    return program && { program };
  };
  return {
    username: mapped('username', 'string'),
    groups: mapped('groups', 'any'),
    uid: mapped('uid', 'string'),
    extra: claimMappings.extra.map(({ key, valueExpression }, i) => {
      const path = ['claimMappings', 'extra', i, 'valueExpression'];
      return { key, program: compiled(valueExpression, CLAIMS, 'any', path, fail) };
    }),
    checks: claimValidationRules.map(({ expression, ...rule }, i) => {
      const path = ['claimValidationRules', i, 'expression'];
      return { ...rule, program: compiled(expression, CLAIMS, 'bool', path, fail) };
    }),
    userChecks: userValidationRules.map(({ expression, message }, i) => {
      const program = compiled(expression, USERS, 'bool', [...USER_RULES, i, 'expression'], fail);
      return { claim: '', requiredValue: '', message, program };
    }),
  };
};

/** Undefined for an empty text, and for what is wrong. */
const compiled = (
  source: string,
  environment: CelEnvironment,
  wanted: 'bool' | 'string' | 'any',
  path: Path,
  fail: Fail,
): CelProgram | undefined => {
  if (source === '') return undefined;
  try {
    const program = compileCel(source, environment);
    const type = formatType(program.resultType);
    // Of what is known only with the token it is seen then.
    if (wanted === 'any' || type === wanted || type === 'dyn') return program;
    fail(path, `must evaluate to ${wanted} but got ${type}`);
  } catch (error) {
    if (!(error instanceof CelCompileError)) throw error;
    fail(path, `compilation failed: ${error.message}`);
  }
  return undefined;
};

/** An address that nobody has verified is no name. */
const checkEmail = ({ claimMappings, claimValidationRules }: ClaimSpec, fail: Fail): void => {
  const { expression } = claimMappings.username;
  const sources = [
    expression,
    ...claimMappings.extra.map(({ valueExpression }) => valueExpression),
    ...claimValidationRules.map((rule) => rule.expression),
  ];
  if (!usesEmail(expression) || sources.some(usesVerified)) return;
  fail(
    ['claimMappings', 'username', 'expression'],
    'claims.email_verified must be used in claimMappings.username.expression or ' +
      'claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when ' +
      'claims.email is used in claimMappings.username.expression',
  );
};

const userBy = (
  { username, groups, uid, extra, checks, userChecks }: Rules,
  claims: JWTPayload,
  budget: CelBudget,
): User => {
  const variables = { claims };
  for (const check of checks) checkBy(check, claims, variables, budget);
  const name = nameIn(username, claims, budget);
  const own = groups && valueOf(groups, claims, budget, 'groups');
  const names = textsOf(own, 'groups').filter((text) => text !== '');
  const id = uid === undefined ? '' : textOf(valueOf(uid, claims, budget, 'uid'), 'uid');
  const more = Object.fromEntries(
    extra.flatMap(({ key, program }) => {
      const value = program && evaluated(program, variables, budget, `extra ${key}`);
      const texts = textsOf(value, `extra ${key}`).filter((text) => text !== '');
      return texts.length === 0 ? [] : [[key, texts]];
    }),
  ) as Record<string, readonly string[]>;
  if ([name, ...names].some(isOwnName))
    throw new TokenRefusedError('a name of another issuer begins with "system:"');
  const user = { username: name, uid: id, groups: names, extra: more };
  for (const check of userChecks) checkBy(check, claims, { user }, budget);
  const all = { ...credentialOf(claims), ...more };
  return {
    name,
    ...(id === '' ? {} : { uid: id }),
    groups: [...names, AUTHENTICATED],
    ...(Object.keys(all).length === 0 ? {} : { extra: all }),
  };
};

type Mapping =
  { readonly claim: string; readonly prefix: string } | { readonly program: CelProgram };

interface Check {
  readonly claim: string;
  readonly requiredValue: string;
  readonly message: string;
  readonly program: CelProgram | undefined;
}

const checkBy = (
  { claim, requiredValue, message, program }: Check,
  claims: JWTPayload,
  variables: Readonly<Record<string, CelInput>>,
  budget: CelBudget,
): void => {
  if (claim !== '') {
    if (claims[claim] !== requiredValue)
      throw new TokenRefusedError(`claim ${claim} is not as required`);
    return;
  }
  if (program === undefined) return;
  if (evaluated(program, variables, budget, program.source) !== true)
    throw new TokenRefusedError(
      `validation expression '${program.source}' failed${message === '' ? '' : `: ${message}`}`,
    );
};

const nameIn = (mapping: Mapping | undefined, claims: JWTPayload, budget: CelBudget): string => {
  if (mapping === undefined) throw new TokenRefusedError('nothing names the user');
  const isEmail = 'claim' in mapping && mapping.claim === 'email';
  if (isEmail && 'email_verified' in claims && claims['email_verified'] !== true)
    throw new TokenRefusedError('oidc: email not verified');
  const name = textOf(valueOf(mapping, claims, budget, 'username'), 'username');
  if (name === '') throw new TokenRefusedError('username is empty');
  return name;
};

const valueOf = (
  mapping: Mapping,
  claims: JWTPayload,
  budget: CelBudget,
  what: string,
): unknown => {
  if ('program' in mapping) return evaluated(mapping.program, { claims }, budget, what);
  const { claim, prefix } = mapping;
  const found = claims[claim];
  if (found === undefined || found === null) return found;
  if (typeof found === 'string') return found === '' ? '' : prefix + found;
  return textsOf(found, what).map((text) => prefix + text);
};

/** @throws TokenRefusedError also where it cannot be evaluated */
const evaluated = (
  program: CelProgram,
  variables: Readonly<Record<string, CelInput>>,
  budget: CelBudget,
  what: string,
): unknown => {
  try {
    return toJson(program.evaluate(variables, budget));
  } catch (error) {
    if (!(error instanceof CelRuntimeError) && !(error instanceof CelBudgetError)) throw error;
    throw new TokenRefusedError(`${what}: ${error.message}`, { cause: error });
  }
};

const textOf = (value: unknown, what: string): string => {
  if (value === undefined || value === null) return '';
  if (typeof value !== 'string') throw new TokenRefusedError(`${what} is no text`);
  return value;
};

const textsOf = (value: unknown, what: string): readonly string[] => {
  const texts = textsIn(value);
  if (texts === undefined)
    throw new TokenRefusedError(`${what}: neither a text nor a list of texts`);
  return texts;
};

const usesEmail = (source: string): boolean => /\bclaims\.email\b(?!_)/.test(source);
const usesVerified = (source: string): boolean => /\bclaims\.\??email_verified\b/.test(source);

const USER_RULES = ['userValidationRules'];
const CLAIMS = celEnvironment({ claims: mapOf(STRING, DYN) });
const USERS = celEnvironment({
  user: objectType('kubernetes.UserInfo', {
    ...{ username: STRING, uid: STRING, groups: listOf(STRING) },
    extra: mapOf(STRING, listOf(STRING)),
  }),
});
