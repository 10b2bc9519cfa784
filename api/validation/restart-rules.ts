import type { Container } from '../types';
import { notSupported, required, tooMany, type FieldError } from './field-error';

/** A container's own policy and rules. Source: KEP-5307; upstream knows `RestartAllContainers` too. */
export const validateRestartRules = (
  { restartPolicy, restartPolicyRules: rules = [] }: Container,
  field: string,
): readonly FieldError[] => [
  ...(restartPolicy === undefined
    ? rules.length === 0
      ? []
      : [
          required(
            `${field}.restartPolicy`,
            'must specify restartPolicy when restart rules are used',
          ),
        ]
    : POLICIES.includes(restartPolicy)
      ? []
      : [notSupported(`${field}.restartPolicy`, restartPolicy, POLICIES)]),
  ...(rules.length > RULES_MAX
    ? [tooMany(`${field}.restartPolicyRules`, rules.length, RULES_MAX)]
    : []),
  ...rules.flatMap((rule, i) => validateRule(rule, `${field}.restartPolicyRules[${i}]`)),
];

type Rule = NonNullable<Container['restartPolicyRules']>[number];

const validateRule = ({ action, exitCodes }: Rule, field: string): readonly FieldError[] => [
  ...(action === 'Restart' ? [] : [notSupported(`${field}.action`, action ?? '', ['Restart'])]),
  ...(exitCodes === undefined
    ? [required(`${field}.exitCodes`, 'must be specified')]
    : [
        ...(OPERATORS.includes(exitCodes.operator ?? '')
          ? []
          : [notSupported(`${field}.exitCodes.operator`, exitCodes.operator ?? '', OPERATORS)]),
        ...((exitCodes.values ?? []).length > CODES_MAX
          ? [tooMany(`${field}.exitCodes.values`, exitCodes.values?.length ?? 0, CODES_MAX)]
          : []),
      ]),
];

const POLICIES = ['Always', 'Never', 'OnFailure'];
const OPERATORS = ['In', 'NotIn'];
const RULES_MAX = 20;
const CODES_MAX = 255;
