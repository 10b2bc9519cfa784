import { VALIDATING_POLICY_KIND } from '../../../api/kinds/validating-admission-policy';
import { VALIDATING_POLICY_BINDING_KIND } from '../../../api/kinds/validating-admission-policy-binding';
import { AGE, count, NAME, printer, text } from '../printing/columns';
import { listAt, textAt } from './mutable';
import { POLICY_STRATEGY } from './policy-status';
import { serveKind } from './served-kind';

const orUnset = (value: string): string => (value === '' ? '<unset>' : value);

export const VALIDATING_POLICY = serveKind(VALIDATING_POLICY_KIND, {
  strategy: POLICY_STRATEGY,
  printer: printer(
    NAME,
    count('Validations', (policy) => listAt(policy, 'spec', 'validations').length),
    text('ParamKind', (policy) => {
      const kind = textAt(policy, 'spec', 'paramKind', 'kind');
      return orUnset(
        kind === '' ? '' : `${textAt(policy, 'spec', 'paramKind', 'apiVersion')}/${kind}`,
      );
    }),
    AGE,
  ),
});

export const VALIDATING_POLICY_BINDING = serveKind(VALIDATING_POLICY_BINDING_KIND, {
  strategy: { hasGeneration: true, hasStatus: false, createsOnUpdate: false },
  printer: printer(
    NAME,
    text('PolicyName', (binding) => textAt(binding, 'spec', 'policyName')),
    text('ParamRef', (binding) => {
      const name = textAt(binding, 'spec', 'paramRef', 'name');
      const namespace = textAt(binding, 'spec', 'paramRef', 'namespace');
      return orUnset(namespace === '' ? name : `${namespace}/${name}`);
    }),
    AGE,
  ),
});
