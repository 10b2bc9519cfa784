import type { Placement } from '../../api/decisions';
import { plain, plural } from './text';

/** In one line: would the pod be placed now, or what keeps it from that. */
export const fitLine = ({
  nodesConsidered,
  nodesFeasible,
  refusals,
  suggestion,
  schedulerName,
  gates = [],
}: Placement): string => {
  if (schedulerName !== undefined)
    return plain(`only the scheduler ${schedulerName}, which it names, would place it`);
  const fits =
    nodesConsidered === 0
      ? 'would not fit: there is no node'
      : nodesFeasible > 0
        ? `would fit on ${nodesFeasible} of ${plural(nodesConsidered, 'node')}`
        : `would fit on none of ${plural(nodesConsidered, 'node')}`;
  const why = refusals.map(({ count, reasons }) => `${count} ${reasons.join(' + ')}`).join(', ');
  const held =
    gates.length === 0 ? '' : `; until they are lifted it is held back by ${gates.join(' and ')}`;
  const change = suggestion === undefined ? '' : `; would help: ${suggestion}`;
  return plain(fits + (why === '' ? '' : `: ${why}`) + change + held);
};
