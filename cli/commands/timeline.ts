import { isPodReady } from '../../api/pods';
import { apiVersionOf, EVENTS, PODS, SCHEDULING_DECISIONS } from '../../api/resources';
import type { CliContext } from '../context';
import { formatViews, outputFormat } from '../output/format';
import { formatTable } from '../output/table';
import { printable } from '../output/terminal';
import { podName } from '../targets';
import { podTimeline, type TimelineEntry } from '../timeline/pod-timeline';
import { unlessForbidden } from '../unless-forbidden';
import { driverVolumesOf } from '../why';

export interface TimelineOptions {
  readonly output?: string;
}

/** What happened to a pod, step by step: when, how long after the step before, and what caused it. */
export const timeline = async (
  context: CliContext,
  podOrKind: string,
  givenName: string | undefined,
  { output }: TimelineOptions,
): Promise<void> => {
  const { client, signal, terminal, namespace = 'default' } = context;
  const format = outputFormat(output);
  const arg = givenName === undefined ? podOrKind : `${podOrKind}/${givenName}`;
  const name = await podName(context, arg, (each) => !isPodReady(each));
  const pod = await client.get(PODS, { namespace, name }, signal);
  const { uid = '' } = pod.metadata;
  const ofPod = { namespace, fieldSelector: `involvedObject.uid=${uid}` };
  const [events, decisions, volumes] = await Promise.all([
    unlessForbidden(client.list(EVENTS, ofPod, signal)),
    unlessForbidden(client.list(SCHEDULING_DECISIONS, { namespace }, signal)),
    pod.spec.nodeName === undefined ? [] : driverVolumesOf(client, pod, signal),
  ]);
  const entries = podTimeline(
    pod,
    events?.items ?? [],
    (decisions?.items ?? []).filter(({ spec }) => spec.podUID === uid),
    volumes.flatMap(({ attachment }) => attachment?.value ?? []),
  );
  const document = {
    apiVersion: apiVersionOf(SCHEDULING_DECISIONS),
    kind: 'PodTimeline',
    metadata: { name, namespace, uid },
    status: { entries },
  };
  const table = (isWide: boolean) => timelineText(entries, isWide);
  terminal.out.write(formatViews({ document, names: [`pod/${name}`], table }, format));
  const unread = [
    ...(events === undefined ? ['events'] : []),
    ...(decisions === undefined ? ['decisions'] : []),
  ];
  if (unread.length > 0)
    terminal.err.write(
      `Warning: this user may not list ${unread.join(' and ')}: steps are missing\n`,
    );
};

const timelineText = (entries: readonly TimelineEntry[], isWide: boolean): string => {
  const startMs = Date.parse(entries[0]?.time ?? '');
  const rows = entries.map(({ time, step, container = '', message, tookMs, count, lastTime }) => {
    const at = isWide ? time : offset(Date.parse(time) - startMs);
    const last = lastTime === undefined ? '' : ` until ${offset(Date.parse(lastTime) - startMs)}`;
    const again = count === undefined ? '' : ` (x${count}${last})`;
    const took = tookMs === undefined ? '' : seconds(tookMs);
    return [at, took, step, container, message.replaceAll('\n', ' ') + again].map(printable);
  });
  return formatTable(['AT', 'TOOK', 'STEP', 'CONTAINER', 'WHY'], rows);
};

const offset = (ms: number): string => `+${seconds(Math.max(0, ms))}`;

/** `0.4s`, `12s`, `3m5s`, `2h10m`. */
const seconds = (ms: number): string => {
  if (ms < 10_000) return `${Number((ms / 1000).toFixed(1))}s`;
  const whole = Math.round(ms / 1000);
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${whole % 60}s`;
  return `${Math.floor(whole / 3600)}h${Math.floor((whole % 3600) / 60)}m`;
};
