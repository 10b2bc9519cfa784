import { jsonEqual } from '../../../api/json-value';
import { DAEMON_SET_KIND } from '../../../api/kinds/daemon-set';
import { formatLabelSelector } from '../../../api/selectors';
import { AGE, CONTAINERS, count, IMAGES, NAME, printer, SELECTOR, text } from '../printing/columns';
import { fieldsAt, numberAt, valueAt, type MutableObject } from './mutable';
import { serveKind, WITH_SPEC, type Strategy } from './served-kind';

/** Counts changes of the template, for clients of older versions. */
const GENERATION = 'deprecated.daemonset.template.generation';

const setGeneration = (set: MutableObject, generation: number): void => {
  set.metadata.annotations = {
    ...set.metadata.annotations,
    [GENERATION]: String(generation),
  };
};

const STRATEGY: Strategy = {
  ...WITH_SPEC,
  prepareCreate: (set) => {
    set.status = {
      currentNumberScheduled: 0,
      desiredNumberScheduled: 0,
      numberMisscheduled: 0,
      numberReady: 0,
    };
    setGeneration(set, 1);
  },
  prepareUpdate: (set, old) => {
    const before = Number(old.metadata.annotations?.[GENERATION]);
    const [next, previous] = [set, old].map((each) => valueAt(each, 'spec', 'template'));
    const known = Number.isSafeInteger(before) ? before : 1;
    setGeneration(set, jsonEqual(next, previous) ? known : known + 1);
  },
};

const PRINTER = printer(
  NAME,
  count('Desired', (set) => numberAt(set, 'status', 'desiredNumberScheduled')),
  count('Current', (set) => numberAt(set, 'status', 'currentNumberScheduled')),
  count('Ready', (set) => numberAt(set, 'status', 'numberReady')),
  count('Up-to-date', (set) => numberAt(set, 'status', 'updatedNumberScheduled')),
  count('Available', (set) => numberAt(set, 'status', 'numberAvailable')),
  text('Node Selector', (set) =>
    formatLabelSelector({
      matchLabels: fieldsAt(set, 'spec', 'template', 'spec', 'nodeSelector') as Record<
        string,
        string
      >,
    }),
  ),
  AGE,
  CONTAINERS,
  IMAGES,
  SELECTOR,
);

export const DAEMON_SET = serveKind(DAEMON_SET_KIND, { strategy: STRATEGY, printer: PRINTER });
