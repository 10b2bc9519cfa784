import { MUTATING_WEBHOOK_CONFIGURATION_KIND } from '../../../api/kinds/mutating-webhook-configuration';
import { VALIDATING_WEBHOOK_CONFIGURATION_KIND } from '../../../api/kinds/validating-webhook-configuration';
import { AGE, count, NAME, printer } from '../printing/columns';
import { listAt } from './mutable';
import { serveKind, type Strategy } from './served-kind';

const PRINTER = printer(
  NAME,
  count('Webhooks', (object) => listAt(object, 'webhooks').length),
  AGE,
);

const STRATEGY: Strategy = { hasGeneration: true, hasStatus: false, createsOnUpdate: false };

export const MUTATING_WEBHOOK_CONFIGURATION = serveKind(MUTATING_WEBHOOK_CONFIGURATION_KIND, {
  strategy: STRATEGY,
  printer: PRINTER,
});
export const VALIDATING_WEBHOOK_CONFIGURATION = serveKind(VALIDATING_WEBHOOK_CONFIGURATION_KIND, {
  strategy: STRATEGY,
  printer: PRINTER,
});
