import { ApiError } from '../../api/errors';
import { EVENTS, PODS, pathOf } from '../../api/resources';
import type { Event, Pod } from '../../api/types';
import { queryOf, type RestClient } from '../../client/rest-client';
import { withDeadline, DeadlineExceededError } from '../../lib/async/deadline';
import { systemClock } from '../../lib/clock';
import type { EventNote, KnownTrouble, Trouble } from './known-trouble';

/**
 * The troubles of one pod with the last event and the last line of each. What this user may not read,
 * or a node that does not answer, leaves them out: the trouble itself is known already.
 */
export const withEvidence = async (
  client: RestClient,
  pod: Pod,
  troubles: readonly Trouble[],
  signal: AbortSignal,
): Promise<readonly KnownTrouble[]> => {
  if (troubles.length === 0) return [];
  const events = (await unlessRefused(eventsOf(client, pod, signal), signal)) ?? [];
  const known = troubles.map(async (trouble, index) => {
    const lastEvent = lastEventAbout(events, trouble);
    const isAsked = index < LOGS_READ_MAX && hasLog(pod, trouble);
    const lastLine = isAsked
      ? await unlessRefused(lastLineOf(client, pod, trouble, signal), signal)
      : undefined;
    return {
      ...trouble,
      ...(lastEvent === undefined ? {} : { lastEvent }),
      ...(lastLine === undefined ? {} : { lastLine }),
    };
  });
  return Promise.all(known);
};

const eventsOf = async (client: RestClient, { metadata }: Pod, signal: AbortSignal) => {
  const { namespace = '', uid = '' } = metadata;
  const fieldSelector = `involvedObject.uid=${uid}`;
  return (await client.list(EVENTS, { namespace, fieldSelector }, signal)).items;
};

/** Pure: the latest about the container, or else about its pod; warnings before what is normal. */
export const lastEventAbout = (
  events: readonly Event[],
  { container, isInit = false }: Trouble,
): EventNote | undefined => {
  const path = `spec.${isInit ? 'initContainers' : 'containers'}{${container ?? ''}}`;
  const own = events.filter(({ involvedObject }) => involvedObject.fieldPath === path);
  const ofPod = events.filter(({ involvedObject }) => (involvedObject.fieldPath ?? '') === '');
  const warnings = [own, ofPod].map((some) => some.filter(({ type }) => type === 'Warning'));
  const preferred = [...warnings, own].find((some) => some.length > 0) ?? [];
  const [last] = [...preferred].sort((a, b) => byTime(b, a));
  if (last === undefined) return undefined;
  const { reason = '', message = '', count = 1 } = last;
  return { reason, message: message.trim(), count, time: timeOf(last) };
};

const byTime = (a: Event, b: Event): number => {
  const [first, second] = [Date.parse(timeOf(a)), Date.parse(timeOf(b))];
  return (first || 0) - (second || 0);
};

const timeOf = (event: Event): string =>
  event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp ?? '';

/** A container that never ran has said nothing. */
const hasLog = ({ status }: Pod, { container, lastEnd }: Trouble): boolean => {
  if (container === undefined || lastEnd?.reason === 'StartError') return false;
  const all = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])];
  return all.some(({ name, containerID = '' }) => name === container && containerID !== '');
};

const lastLineOf = async (
  client: RestClient,
  pod: Pod,
  trouble: Trouble,
  signal: AbortSignal,
): Promise<string | undefined> => (await linesOf(client, pod, trouble, 1, signal))[0];

/** What a container said last before it ended, or says; empty where that cannot be had. */
export const lastLines = async (
  client: RestClient,
  pod: Pod,
  trouble: Trouble,
  signal: AbortSignal,
): Promise<readonly string[]> => {
  if (!hasLog(pod, trouble)) return [];
  const asked = linesOf(client, pod, trouble, LAST_LINES, signal);
  return (await unlessRefused(asked, signal)) ?? [];
};

const linesOf = async (
  client: RestClient,
  { metadata: { namespace = '', name }, status }: Pod,
  { container, lastEnd }: Trouble,
  count: number,
  signal: AbortSignal,
): Promise<readonly string[]> => {
  const all = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])];
  const runs = all.find((each) => each.name === container)?.state?.running !== undefined;
  const query = queryOf({
    container,
    tailLines: String(count),
    limitBytes: String(count * LINE_BYTES_MAX),
    // What runs again has only begun to speak: the words before its end tell more.
    previous: runs && lastEnd !== undefined ? 'true' : undefined,
  });
  const path = pathOf(PODS, namespace, name, 'log') + query;
  const what = `reading the log of container "${container ?? ''}"`;
  const deadline = { what, limitMs: LOG_DEADLINE_MS, clock: systemClock, signal };
  const { text } = await withDeadline(deadline, (inTime) =>
    client.http.text({ method: 'GET', path, accept: '*/*', signal: inTime }),
  );
  return text.trim() === '' ? [] : text.trimEnd().split('\n');
};

/** Undefined when the server refuses, or does not answer in time. */
const unlessRefused = async <T>(asked: Promise<T>, signal: AbortSignal): Promise<T | undefined> => {
  try {
    return await asked;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ApiError || error instanceof DeadlineExceededError) return undefined;
    throw error;
  }
};

const LOGS_READ_MAX = 8;
const LAST_LINES = 10;
const LINE_BYTES_MAX = 4096;
const LOG_DEADLINE_MS = 5000;
