import {
  admissionEnvironment,
  CelCompileError,
  compileCel,
  variablesType,
  type CelEnvironment,
  type CelProgram,
  type CelType,
  type Wanted,
} from '../cel';
import type { ValidatingAdmissionPolicy } from '../types';

/** A program, or why there is none. */
export type Compiled = CelProgram | CelCompileError;

export interface CompiledCondition {
  readonly name: string;
  readonly program: Compiled;
}

/** All expressions of a policy, each by itself: one that is broken does not hide the others. */
export interface CompiledPolicy {
  readonly conditions: readonly CompiledCondition[];
  readonly variables: readonly { readonly name: string; readonly program: Compiled }[];
  readonly variablesType: CelType;
  readonly validations: readonly {
    readonly program: Compiled;
    readonly message?: Compiled;
  }[];
  readonly auditAnnotations: readonly Compiled[];
}

export const compilePolicy = (
  { spec = {} }: Pick<ValidatingAdmissionPolicy, 'spec'>,
  objectType?: CelType,
): CompiledPolicy => {
  const hasParams = spec.paramKind !== undefined;
  const known = { hasParams, ...(objectType === undefined ? {} : { objectType }) };
  const variables: { name: string; program: Compiled }[] = [];
  const types: Record<string, CelType> = {};
  // A variable may use those before it.
  for (const { name, expression } of spec.variables ?? []) {
    const type = variablesType(types);
    const environment = admissionEnvironment({ ...known, hasAuthorizer: true, variables: type });
    const program = compiled(expression, environment, 'any');
    variables.push({ name, program });
    if (!(program instanceof CelCompileError)) types[name] = program.resultType;
  }
  const all = { ...known, variables: variablesType(types) };
  const judging = admissionEnvironment({ ...all, hasAuthorizer: true });
  const telling = admissionEnvironment(all);
  return {
    conditions: compileConditions(spec.matchConditions ?? [], hasParams),
    variables,
    variablesType: all.variables,
    validations: (spec.validations ?? []).map(({ expression, messageExpression = '' }) => ({
      program: compiled(expression, judging, 'bool'),
      ...(messageExpression === ''
        ? {}
        : { message: compiled(messageExpression, telling, 'string') }),
    })),
    auditAnnotations: (spec.auditAnnotations ?? []).map(({ valueExpression }) =>
      compiled(valueExpression, judging, 'string or null'),
    ),
  };
};

/** Of a policy or a webhook: they know no `variables`. */
export const compileConditions = (
  conditions: readonly { readonly name: string; readonly expression: string }[],
  hasParams = false,
): readonly CompiledCondition[] => {
  const environment = admissionEnvironment({ hasParams, hasAuthorizer: true });
  return conditions.map(({ name, expression }) => ({
    name,
    program: compiled(expression, environment, 'bool'),
  }));
};

/** A body may lack the text although its type says otherwise. */
const compiled = (
  source: string | undefined,
  environment: CelEnvironment,
  wanted: Wanted,
): Compiled => {
  try {
    return compileCel(source ?? '', environment, wanted);
  } catch (error) {
    if (error instanceof CelCompileError) return error;
    throw error;
  }
};
