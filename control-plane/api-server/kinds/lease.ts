import { LEASE_KIND } from '../../../api/kinds/lease';
import { AGE, NAME, printer, text } from '../printing/columns';
import { textAt } from './mutable';
import { PLAIN, serveKind } from './served-kind';

const PRINTER = printer(
  NAME,
  text('Holder', (object) => textAt(object, 'spec', 'holderIdentity')),
  AGE,
);

export const LEASE = serveKind(LEASE_KIND, {
  strategy: { ...PLAIN, createsOnUpdate: true },
  printer: PRINTER,
});
