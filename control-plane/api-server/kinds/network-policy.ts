import { NETWORK_POLICY_KIND } from '../../../api/kinds/network-policy';
import { formatLabelSelector } from '../../../api/selectors';
import { AGE, NAME, printer, text } from '../printing/columns';
import { fieldsAt } from './mutable';
import { PLAIN, serveKind } from './served-kind';

const PRINTER = printer(
  NAME,
  text('Pod-Selector', (policy) => formatLabelSelector(fieldsAt(policy, 'spec', 'podSelector'))),
  AGE,
);

export const NETWORK_POLICY = serveKind(NETWORK_POLICY_KIND, {
  strategy: { ...PLAIN, hasGeneration: true },
  printer: PRINTER,
});
