import { PRIORITY_CLASS_KIND } from '../../../api/kinds/priority-class';
import { AGE, count, NAME, printer, saysAt, text } from '../printing/columns';
import { numberAt, textAt } from './mutable';
import { serveKind } from './served-kind';

const PRINTER = printer(
  NAME,
  count('Value', (object) => numberAt(object, 'value')),
  text('Global-Default', (object) => saysAt(object, 'globalDefault')),
  AGE,
  text('PreemptionPolicy', (object) => textAt(object, 'preemptionPolicy')),
);

export const PRIORITY_CLASS = serveKind(PRIORITY_CLASS_KIND, { printer: PRINTER });
