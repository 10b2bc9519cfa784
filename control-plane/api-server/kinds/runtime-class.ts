import { RUNTIME_CLASS_KIND } from '../../../api/kinds/runtime-class';
import { AGE, NAME, printer, text } from '../printing/columns';
import { textAt } from './mutable';
import { serveKind } from './served-kind';

const PRINTER = printer(
  NAME,
  text('Handler', (object) => textAt(object, 'handler')),
  AGE,
);

export const RUNTIME_CLASS = serveKind(RUNTIME_CLASS_KIND, { printer: PRINTER });
