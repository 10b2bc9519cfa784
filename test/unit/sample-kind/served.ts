import { numberAt, textAt } from '../../../control-plane/api-server/kinds/mutable';
import { serveKind, WITH_SPEC } from '../../../control-plane/api-server/kinds/served-kind';
import {
  AGE,
  count,
  NAME,
  printer,
  text,
} from '../../../control-plane/api-server/printing/columns';
import { VOYAGE_KIND } from './kind';

const PRINTER = printer(
  NAME,
  text('Ship', (voyage) => textAt(voyage, 'spec', 'ship')),
  count('Stops', (voyage) => numberAt(voyage, 'spec', 'stops')),
  count('Reached', (voyage) => numberAt(voyage, 'status', 'reached')),
  AGE,
);

export const VOYAGE = serveKind(VOYAGE_KIND, { strategy: WITH_SPEC, printer: PRINTER });
