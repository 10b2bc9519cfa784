import { DEPLOYMENT_KIND } from '../../../api/kinds/deployment';
import { AGE, CONTAINERS, count, IMAGES, NAME, printer, SELECTOR, text } from '../printing/columns';
import { numberAt } from './mutable';
import { serveKind, WITH_SPEC } from './served-kind';

const PRINTER = printer(
  NAME,
  text(
    'Ready',
    (object) =>
      `${numberAt(object, 'status', 'readyReplicas')}/${numberAt(object, 'spec', 'replicas')}`,
  ),
  count('Up-to-date', (object) => numberAt(object, 'status', 'updatedReplicas')),
  count('Available', (object) => numberAt(object, 'status', 'availableReplicas')),
  AGE,
  CONTAINERS,
  IMAGES,
  SELECTOR,
);

export const DEPLOYMENT = serveKind(DEPLOYMENT_KIND, { strategy: WITH_SPEC, printer: PRINTER });
