import type { DecisionReplayStatus, ReplayOutcome } from '../../api/decision-replays';
import { columns, plain, plural, shortTime, toned, type TextStyle } from './text';

/** Which decisions come out differently, and how many do not, for a person. */
export const renderReplay = (status: DecisionReplayStatus, style: TextStyle): string => {
  const { replayed, same, rescored, rejudged, differences } = status;
  const [header = '', ...rows] = columns([
    ['TIME', 'POD', 'TRY', 'WAS', 'NOW', 'WHY'],
    ...differences.map(({ pod, attempt, time, was, now }) => [
      ...[shortTime(time), pod].map(plain),
      String(attempt),
      ...[placeOf(was), placeOf(now), whyOf(now)].map(plain),
    ]),
  ]);
  const untold = replayed - same - differences.length;
  const sum = [
    `${same} of ${plural(replayed, 'decision')} come${replayed === 1 ? 's' : ''} out the same`,
    ...(rescored > 0 ? [`${rescored} of them with other scores`] : []),
    ...(rejudged > 0 ? [`${rejudged} of them for other reasons`] : []),
    ...(replayed > same ? [`${replayed - same} differently`] : []),
  ].join(', ');
  const lines = [
    ...(differences.length === 0 ? [] : [toned(header, 'faint', style), ...rows]),
    ...(untold > 0 ? [`and ${untold} more`] : []),
    toned(sum, same === replayed ? 'good' : 'bad', style),
  ];
  return lines.map((line) => `${line}\n`).join('');
};

const placeOf = ({ nodeName, total }: ReplayOutcome): string =>
  nodeName === undefined ? '-' : `${nodeName}${total === undefined ? '' : ` (${total})`}`;

const whyOf = ({ message, margin, decidedBy }: ReplayOutcome): string => {
  if (message !== undefined) return message;
  if (margin === undefined) return 'the only node that fits';
  return margin === 0 ? 'tie' : `${decidedBy ?? ''}, +${margin}`;
};
