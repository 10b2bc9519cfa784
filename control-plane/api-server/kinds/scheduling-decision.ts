import type { SchedulingDecision } from '../../../api/decisions';
import { SCHEDULING_DECISION_KIND } from '../../../api/kinds/scheduling-decision';
import type { ApiObject } from '../../../api/types';
import { ageOf } from '../printing/ages';
import { count, NAME, orNone, printer, text, wide } from '../printing/columns';
import { serveKind } from './served-kind';

const decision = (object: ApiObject): SchedulingDecision => object as SchedulingDecision;

const PRINTER = printer(
  NAME,
  text('Pod', (object) => decision(object).spec.podName),
  text('Outcome', (object) => decision(object).status.outcome),
  text('Node', (object) => orNone(decision(object).status.nodeName ?? '')),
  text('Feasible', (object) => {
    const { nodesFeasible, nodesConsidered } = decision(object).status;
    return `${nodesFeasible}/${nodesConsidered}`;
  }),
  text('Margin', (object) => {
    const { margin } = decision(object).status;
    return margin === undefined ? '<none>' : String(margin);
  }),
  text('Decided-By', (object) => orNone(decision(object).status.decidedBy ?? '')),
  text('Age', (object, nowMs) => ageOf(decision(object).spec.time, nowMs)),
  count('Attempt', (object) => decision(object).spec.attempt, 1),
  wide('Trigger', (object) => decision(object).spec.trigger),
  text('Message', (object) => decision(object).status.message),
);

export const SCHEDULING_DECISION = serveKind(SCHEDULING_DECISION_KIND, { printer: PRINTER });
