import {
  admissionEnvironment,
  CelCompileError,
  compileCel,
  variablesType,
  type AdmissionVariables,
  type CelEnvironment,
  type CelProgram,
  type CelType,
  type Wanted,
} from '../cel';
import type { MutatingAdmissionPolicy, ValidatingAdmissionPolicy } from '../types';

/** A program, or why there is none. */
export type Compiled = CelProgram | CelCompileError;

export interface CompiledCondition {
  readonly name: string;
  readonly program: Compiled;
}

export interface CompiledVariables {
  readonly variables: readonly { readonly name: string; readonly program: Compiled }[];
  readonly variablesType: CelType;
}

/** Of a policy that changes objects. */
export interface CompiledMutations extends CompiledVariables {
  readonly conditions: readonly CompiledCondition[];
  readonly mutations: readonly Compiled[];
}

/** All expressions of a policy, each by itself: one that is broken does not hide the others. */
export interface CompiledPolicy extends CompiledVariables {
  readonly conditions: readonly CompiledCondition[];
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
  const own = compileVariables(spec.variables ?? [], known);
  const all = { ...known, variables: own.variablesType };
  const judging = admissionEnvironment({ ...all, hasAuthorizer: true });
  const telling = admissionEnvironment(all);
  return {
    conditions: compileConditions(spec.matchConditions ?? [], hasParams),
    ...own,
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

export const compileMutations = ({
  spec = {},
}: Pick<MutatingAdmissionPolicy, 'spec'>): CompiledMutations => {
  const hasParams = spec.paramKind !== undefined;
  const own = compileVariables(spec.variables ?? [], { hasParams });
  const environment = admissionEnvironment({
    ...{ hasParams, hasAuthorizer: true, variables: own.variablesType, makesPatches: true },
  });
  return {
    conditions: compileConditions(spec.matchConditions ?? [], hasParams),
    ...own,
    mutations: (spec.mutations ?? []).map(({ applyConfiguration, jsonPatch }) =>
      applyConfiguration === undefined
        ? compiled(jsonPatch?.expression, environment, 'JSON patch')
        : compiled(applyConfiguration.expression, environment, 'apply object'),
    ),
  };
};

/** A variable may use those before it. */
const compileVariables = (
  declared: readonly { readonly name: string; readonly expression: string }[],
  known: AdmissionVariables,
): CompiledVariables => {
  const variables: { name: string; program: Compiled }[] = [];
  const types: Record<string, CelType> = {};
  for (const { name, expression } of declared) {
    const type = variablesType(types);
    const environment = admissionEnvironment({ ...known, hasAuthorizer: true, variables: type });
    const program = compiled(expression, environment, 'any');
    variables.push({ name, program });
    if (!(program instanceof CelCompileError)) types[name] = program.resultType;
  }
  return { variables, variablesType: variablesType(types) };
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
