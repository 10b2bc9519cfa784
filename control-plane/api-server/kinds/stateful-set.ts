import { STATEFUL_SET_KIND } from '../../../api/kinds/stateful-set';
import { AGE, CONTAINERS, IMAGES, NAME, printer, text } from '../printing/columns';
import { numberAt } from './mutable';
import { serveKind, WITH_SPEC, type Strategy } from './served-kind';

const STRATEGY: Strategy = {
  ...WITH_SPEC,
  prepareCreate: (set) => {
    set.status = { availableReplicas: 0, replicas: 0 };
  },
};

const PRINTER = printer(
  NAME,
  text(
    'Ready',
    (set) => `${numberAt(set, 'status', 'readyReplicas')}/${numberAt(set, 'spec', 'replicas')}`,
  ),
  AGE,
  CONTAINERS,
  IMAGES,
);

export const STATEFUL_SET = serveKind(STATEFUL_SET_KIND, { strategy: STRATEGY, printer: PRINTER });
