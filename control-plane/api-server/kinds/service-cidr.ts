import { SERVICE_CIDR_KIND } from '../../../api/kinds/service-cidr';
import { AGE, NAME, printer, text } from '../printing/columns';
import { listAt } from './mutable';
import { serveKind, WITH_SPEC } from './served-kind';

const PRINTER = printer(
  NAME,
  text('CIDRs', (object) => listAt(object, 'spec', 'cidrs').map(String).join(',')),
  AGE,
);

export const SERVICE_CIDR = serveKind(SERVICE_CIDR_KIND, {
  strategy: { ...WITH_SPEC, hasGeneration: false },
  printer: PRINTER,
});
