import type { PodExplanation } from '../../../api/decisions';
import { POD_EXPLANATION_KIND } from '../../../api/kinds/pod-explanation';
import { count, NAME, orNone, printer, text } from '../printing/columns';
import { serveKind } from './served-kind';

const PRINTER = printer(
  NAME,
  text('Node', (object) => orNone((object as PodExplanation).status.nodeName ?? '')),
  text('Queue', (object) => orNone((object as PodExplanation).status.queue ?? '')),
  count('Attempts', (object) => (object as PodExplanation).status.attempts),
  text('Suggestion', (object) => orNone((object as PodExplanation).status.suggestion ?? '')),
);

export const POD_EXPLANATION = serveKind(POD_EXPLANATION_KIND, { printer: PRINTER });
