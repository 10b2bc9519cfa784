import { NAMESPACE_KIND } from '../../../api/kinds/namespace';
import { AGE, NAME, printer, text } from '../printing/columns';
import { listAt, textAt } from './mutable';
import { serveKind, type Strategy } from './served-kind';

const STRATEGY: Strategy = {
  hasGeneration: false,
  hasStatus: true,
  createsOnUpdate: false,
  prepareCreate: (namespace) => {
    const finalizers = new Set([...listAt(namespace, 'spec', 'finalizers'), 'kubernetes']);
    namespace.spec = { ...namespace.spec, finalizers: [...finalizers] };
    namespace.status = { phase: 'Active' };
  },
  prepareUpdate: (namespace, old) => {
    // They change through /finalize only.
    namespace.spec = { ...namespace.spec, finalizers: listAt(old, 'spec', 'finalizers') };
  },
  prepareDelete: (namespace) => {
    namespace.status = { ...namespace.status, phase: 'Terminating' };
  },
  // By its content.
  isHeld: (namespace) => listAt(namespace, 'spec', 'finalizers').length > 0,
};

const PRINTER = printer(
  NAME,
  text('Status', (object) => textAt(object, 'status', 'phase')),
  AGE,
);

export const NAMESPACE = serveKind(NAMESPACE_KIND, { strategy: STRATEGY, printer: PRINTER });
