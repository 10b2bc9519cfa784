import { MUTATING_POLICY_KIND } from '../../../api/kinds/mutating-admission-policy';
import { MUTATING_POLICY_BINDING_KIND } from '../../../api/kinds/mutating-admission-policy-binding';
import { VALIDATING_POLICY_KIND } from '../../../api/kinds/validating-admission-policy';
import { VALIDATING_POLICY_BINDING_KIND } from '../../../api/kinds/validating-admission-policy-binding';
import { goLabelSelector } from '../../../api/selectors';
import type { LabelSelector } from '../../../api/types';
import { AGE, count, NAME, printer, text, type ColumnRule } from '../printing/columns';
import { listAt, textAt, valueAt } from './mutable';
import { POLICY_STRATEGY } from './policy-status';
import { serveKind, type Strategy } from './served-kind';

const orUnset = (value: string): string => (value === '' ? '<unset>' : value);

const PARAM_KIND = text('ParamKind', (policy) => {
  const kind = textAt(policy, 'spec', 'paramKind', 'kind');
  return orUnset(kind === '' ? '' : `${textAt(policy, 'spec', 'paramKind', 'apiVersion')}/${kind}`);
});

const counted = (name: string, field: string): ColumnRule =>
  count(name, (policy) => listAt(policy, 'spec', field).length);

const BINDING_PRINTER = printer(
  NAME,
  text('PolicyName', (binding) => textAt(binding, 'spec', 'policyName')),
  text('ParamRef', (binding) => {
    const name = textAt(binding, 'spec', 'paramRef', 'name');
    if (name !== '') return `${textAt(binding, 'spec', 'paramRef', 'namespace') || '*'}/${name}`;
    const selector = valueAt(binding, 'spec', 'paramRef', 'selector') as LabelSelector | undefined;
    return selector === undefined ? '<unset>' : goLabelSelector(selector);
  }),
  AGE,
);

const ALL_SPEC: Strategy = { hasGeneration: true, hasStatus: false, createsOnUpdate: false };

export const VALIDATING_POLICY = serveKind(VALIDATING_POLICY_KIND, {
  strategy: POLICY_STRATEGY,
  printer: printer(NAME, counted('Validations', 'validations'), PARAM_KIND, AGE),
});

export const VALIDATING_POLICY_BINDING = serveKind(VALIDATING_POLICY_BINDING_KIND, {
  strategy: ALL_SPEC,
  printer: BINDING_PRINTER,
});

export const MUTATING_POLICY = serveKind(MUTATING_POLICY_KIND, {
  strategy: ALL_SPEC,
  printer: printer(NAME, counted('Mutations', 'mutations'), PARAM_KIND, AGE),
});

export const MUTATING_POLICY_BINDING = serveKind(MUTATING_POLICY_BINDING_KIND, {
  strategy: ALL_SPEC,
  printer: BINDING_PRINTER,
});
