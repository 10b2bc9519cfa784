import type { EventNote, KnownTrouble, Termination } from './known-trouble';
import { plain, plural, shortTime, wrap, type TextStyle } from './text';

/** Each trouble with its facts below it, indented by two. */
export const troubleLines = (
  troubles: readonly KnownTrouble[],
  style: TextStyle,
): readonly string[] => {
  const rest = troubles.length - TROUBLES_SHOWN_MAX;
  return [
    ...troubles.slice(0, TROUBLES_SHOWN_MAX).flatMap((each) => linesOf(each, style)),
    ...(rest > 0 ? [`  and ${plural(rest, 'more container')} in trouble`] : []),
  ];
};

/** `init container setup: CrashLoopBackOff` */
export const titleOf = ({ container, isInit, reason }: KnownTrouble): string =>
  container === undefined
    ? plain(reason)
    : `${isInit === true ? 'init container' : 'container'} ${plain(container)}: ${plain(reason)}`;

const linesOf = (trouble: KnownTrouble, style: TextStyle): readonly string[] => {
  const { message, since, restartCount = 0, lastEnd, lastEvent, lastLine, next } = trouble;
  const when = since === undefined ? '' : ` since ${shortTime(since)}`;
  const often = restartCount > 0 ? `, after ${plural(restartCount, 'restart')}` : '';
  const facts = [
    ...(message === undefined ? [] : [message]),
    ...(lastEnd === undefined ? [] : [`last ended: ${endText(lastEnd)}`]),
    ...(lastEvent === undefined ? [] : [`last event: ${eventText(lastEvent)}`]),
    ...(lastLine === undefined ? [] : [`last line: ${lastLine}`]),
    ...(next === undefined ? [] : [`next: ${next}`]),
  ];
  return [
    ...indented(`${titleOf(trouble)}${when}${often}`, 2, style),
    ...facts.flatMap((fact) => indented(bounded(fact), 4, style)),
  ];
};

const endText = ({ reason = 'Error', exitCode, finishedAt, message }: Termination): string =>
  [
    reason,
    `exit code ${exitCode}`,
    ...(finishedAt === undefined ? [] : [`at ${shortTime(finishedAt)}`]),
  ].join(', ') + (message === undefined || message.trim() === '' ? '' : `: ${message.trim()}`);

const eventText = ({ reason, message, count, time }: EventNote): string =>
  `${reason}${count > 1 ? ` (x${count})` : ''} at ${shortTime(time)}: ${message}`;

const bounded = (text: string): string =>
  text.length <= FACT_CHARACTERS_MAX ? text : `${text.slice(0, FACT_CHARACTERS_MAX)}…`;

const indented = (text: string, depth: number, { width }: TextStyle): readonly string[] =>
  wrap(plain(text), width - depth).map((line) => ' '.repeat(depth) + line);

const TROUBLES_SHOWN_MAX = 10;
const FACT_CHARACTERS_MAX = 500;
