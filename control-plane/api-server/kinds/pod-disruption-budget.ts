import { POD_DISRUPTION_BUDGET_KIND } from '../../../api/kinds/pod-disruption-budget';
import { AGE, count, NAME, printer, text } from '../printing/columns';
import { numberAt, textAt } from './mutable';
import { serveKind, WITH_SPEC, type Strategy } from './served-kind';

const STRATEGY: Strategy = {
  ...WITH_SPEC,
  prepareCreate: (budget) => {
    const none = { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 };
    budget.status = none;
  },
};

const PRINTER = printer(
  NAME,
  text('Min Available', (budget) => textAt(budget, 'spec', 'minAvailable') || 'N/A'),
  text('Max Unavailable', (budget) => textAt(budget, 'spec', 'maxUnavailable') || 'N/A'),
  count('Allowed Disruptions', (budget) => numberAt(budget, 'status', 'disruptionsAllowed')),
  AGE,
);

export const POD_DISRUPTION_BUDGET = serveKind(POD_DISRUPTION_BUDGET_KIND, {
  strategy: STRATEGY,
  printer: PRINTER,
});
