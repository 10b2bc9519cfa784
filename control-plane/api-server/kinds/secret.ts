import { SECRET_KIND } from '../../../api/kinds/secret';
import { AGE, count, keyCount, NAME, printer, text } from '../printing/columns';
import { textAt } from './mutable';
import { serveKind } from './served-kind';

const PRINTER = printer(
  NAME,
  text('Type', (object) => textAt(object, 'type')),
  count('Data', (object) => keyCount(object, 'data')),
  AGE,
);

export const SECRET = serveKind(SECRET_KIND, { printer: PRINTER });
