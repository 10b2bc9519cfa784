import { SCHEDULING_DECISIONS } from '../resources';
import { defineKind } from './kind';

/** Kept by the scheduler: nobody writes it. */
export const SCHEDULING_DECISION_KIND = defineKind(SCHEDULING_DECISIONS, {
  // What people type.
  shortNames: ['decisions', 'decision'],
  verbs: ['get', 'list', 'watch'],
  fields: {
    'spec.podName': ({ spec }) => spec.podName,
    'spec.podUID': ({ spec }) => spec.podUID,
    'spec.trigger': ({ spec }) => spec.trigger,
    // Selectors know no order: a day, an hour or a minute is asked for as a whole.
    'spec.day': ({ spec }) => spec.time.slice(0, DAY_LENGTH),
    'spec.hour': ({ spec }) => spec.time.slice(0, HOUR_LENGTH),
    'spec.minute': ({ spec }) => spec.time.slice(0, MINUTE_LENGTH),
    'status.outcome': ({ status }) => status.outcome,
    'status.nodeName': ({ status }) => status.nodeName ?? '',
    'status.decidedBy': ({ status }) => status.decidedBy ?? '',
    'status.reason': ({ status }) => mostFrequent(status.reasons),
  },
  validateCreate: () => [],
  validateUpdate: () => [],
});

/** What most nodes that refused said first. */
const mostFrequent = (reasons: Readonly<Record<string, number>>): string => {
  const [first] = Object.entries(reasons).sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  return first?.[0] ?? '';
};

/** `2026-11-25` */
const DAY_LENGTH = 10;
/** `2026-11-25T02` */
const HOUR_LENGTH = 13;
/** `2026-11-25T02:41` */
const MINUTE_LENGTH = 16;
