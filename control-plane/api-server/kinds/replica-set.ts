import { REPLICA_SET_KIND } from '../../../api/kinds/replica-set';
import { AGE, CONTAINERS, count, IMAGES, NAME, printer, SELECTOR } from '../printing/columns';
import { numberAt } from './mutable';
import { serveKind, WITH_SPEC } from './served-kind';

/** Of a ReplicationController too. */
export const REPLICAS_PRINTER = printer(
  NAME,
  count('Desired', (object) => numberAt(object, 'spec', 'replicas')),
  count('Current', (object) => numberAt(object, 'status', 'replicas')),
  count('Ready', (object) => numberAt(object, 'status', 'readyReplicas')),
  AGE,
  CONTAINERS,
  IMAGES,
  SELECTOR,
);

export const REPLICA_SET = serveKind(REPLICA_SET_KIND, {
  strategy: WITH_SPEC,
  printer: REPLICAS_PRINTER,
});
