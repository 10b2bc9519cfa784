import { POD_GROUP_KIND } from '../../../api/kinds/pod-group';
import { AGE, count, NAME, printer, text } from '../printing/columns';
import { numberAt, textAt } from './mutable';
import { serveKind, WITH_SPEC } from './served-kind';

const PRINTER = printer(
  NAME,
  text('Phase', (group) => textAt(group, 'status', 'phase')),
  count('MinMember', (group) => numberAt(group, 'spec', 'minMember')),
  count('Running', (group) => numberAt(group, 'status', 'running')),
  count('Succeeded', (group) => numberAt(group, 'status', 'succeeded')),
  count('Failed', (group) => numberAt(group, 'status', 'failed')),
  AGE,
);

export const POD_GROUP = serveKind(POD_GROUP_KIND, { strategy: WITH_SPEC, printer: PRINTER });
