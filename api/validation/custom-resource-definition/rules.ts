import { CelCompileError } from '../../cel';
import {
  partsWithPaths,
  type JsonSchema,
  type ValidationRule,
} from '../../custom-resources/json-schema';
import { compileRule } from '../../custom-resources/rules';
import { invalid, type FieldError } from '../field-error';

/** Rules in CEL compile, each against the schema that it stands in. */
export const rulesProblems = (schema: JsonSchema, path: string): readonly FieldError[] =>
  [...partsWithPaths(schema, path)].flatMap(([part, at]) =>
    (part['x-kubernetes-validations'] ?? []).flatMap((rule, i) =>
      problemsOf(part, rule, `${at}.x-kubernetes-validations[${i}]`, part === schema),
    ),
  );

const problemsOf = (
  schema: JsonSchema,
  rule: ValidationRule,
  path: string,
  isRoot: boolean,
): readonly FieldError[] => {
  try {
    const { program } = compileRule(schema, rule, isRoot);
    return rule.optionalOldSelf !== undefined && !program.uses('oldSelf')
      ? [
          invalid(
            `${path}.optionalOldSelf`,
            rule.optionalOldSelf,
            'may not be set if oldSelf is not used in rule',
          ),
        ]
      : [];
  } catch (error) {
    if (!(error instanceof CelCompileError)) throw error;
    return [invalid(`${path}.rule`, rule, error.message)];
  }
};
