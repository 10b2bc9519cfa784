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
  refuseDelete: ({ metadata }) =>
    PROTECTED.has(metadata.name) ? 'this namespace may not be deleted' : undefined,
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

const PROTECTED = new Set(['default', 'kube-system', 'kube-public']);

export const NAMESPACE = serveKind(NAMESPACE_KIND, { strategy: STRATEGY, printer: PRINTER });
