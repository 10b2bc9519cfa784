import { partsWithPaths, type JsonSchema } from '../../custom-resources/json-schema';
import { forbidden, type FieldError } from '../field-error';

/**
 * Rules in CEL. A definition whose rules would not be evaluated is refused: an object that a rule
 * forbids must not get in.
 */
export const rulesProblems = (schema: JsonSchema, path: string): readonly FieldError[] =>
  [...partsWithPaths(schema, path)]
    .filter(([part]) => (part['x-kubernetes-validations'] ?? []).length > 0)
    .map(([, at]) =>
      forbidden(
        `${at}.x-kubernetes-validations`,
        'rules in CEL are not evaluated by this server yet, and a definition whose rules do not ' +
          'hold is refused',
      ),
    );
