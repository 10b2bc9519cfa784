import { z } from 'zod';
import type { SchedulingDecision } from '../../../api/decisions';
import { apiVersionOf, SCHEDULING_DECISIONS } from '../../../api/resources';
import { rfc3339 } from '../../../lib/clock';
import type { Decision } from '../decide';
import { assignedMessage } from '../message';
import type { NodeInfo } from '../node-info';
import { allocatableOf, takenOf, useOf } from '../node-use';
import type { PodInfo } from '../pod-info';
import type { Preemption } from '../preemption';
import type { Attempt } from '../queue';
import { parseJson } from '../../../lib/json';

/** What a record tells of an attempt. */
export type RecordedAttempt = Pick<Attempt, 'info' | 'number' | 'trigger'>;

/** Everything a record says beyond the decision itself. */
export interface RecordContext {
  readonly attempt: RecordedAttempt;
  /** Wall-clock milliseconds. */
  readonly timeMs: number;
  readonly latencyMicros: number;
  readonly suggestion?: string;
  /** As it was when it was decided whom to evict there. */
  readonly node?: NodeInfo;
}

/** A decision as the object that the API serves. `sequence` is its resourceVersion. */
export const recordOf = (
  decision: Decision,
  { attempt, timeMs, latencyMicros, suggestion, node }: RecordContext,
  sequence: number,
): SchedulingDecision => {
  const { key } = attempt.info;
  const { nodeName, nodesConsidered, nodesFeasible, reasons, refusals, top } = decision;
  return objectOf(attempt, timeMs, sequence, {
    outcome: nodeName === undefined ? 'Unschedulable' : 'Scheduled',
    ...(nodeName === undefined ? {} : { nodeName }),
    nodesConsidered,
    nodesFeasible,
    reasons,
    refusals,
    top,
    ...(decision.margin === undefined ? {} : { margin: decision.margin }),
    ...(decision.decidedBy === undefined ? {} : { decidedBy: decision.decidedBy }),
    ...(decision.preemption === undefined
      ? {}
      : { preemption: preemptionOf(decision.preemption, attempt.info, node) }),
    message: nodeName === undefined ? decision.message : assignedMessage(key, nodeName),
    ...(suggestion === undefined ? {} : { suggestion }),
    latencyMicros,
  });
};

const preemptionOf = (
  { nodeName, victims, violations }: Preemption,
  preemptor: PodInfo,
  node: NodeInfo | undefined,
) => ({
  ...{ nodeName, victims: victims.map(({ key }) => key), budgetViolations: violations },
  ...(node === undefined ? {} : changeOf(node, victims, preemptor)),
});

/** Of the node, from before the victims go to when the pod has come. */
const changeOf = (node: NodeInfo, victims: readonly PodInfo[], preemptor: PodInfo) => {
  const without = new Set(victims.map(({ uid }) => uid));
  return {
    before: useOf(takenOf(node)),
    after: useOf(takenOf(node.with({ without, also: [preemptor] }))),
    allocatable: useOf(allocatableOf(node)),
  };
};

/** An attempt that broke: the decision stood, carrying it out failed. */
export const errorRecordOf = (
  attempt: RecordedAttempt,
  message: string,
  timeMs: number,
  sequence: number,
): SchedulingDecision =>
  objectOf(attempt, timeMs, sequence, {
    outcome: 'Error',
    nodesConsidered: 0,
    nodesFeasible: 0,
    reasons: {},
    top: [],
    message,
    latencyMicros: 0,
  });

/** A stored line back as a record; `undefined` for a line that is none. */
export const parseRecord = (line: string): SchedulingDecision | undefined => {
  try {
    const parsed = RECORD.safeParse(parseJson(line));
    // The shape was checked where reading it could fail; the rest was written by this code.
    return parsed.success ? (parsed.data as unknown as SchedulingDecision) : undefined;
  } catch {
    return undefined;
  }
};

const objectOf = (
  { info, number, trigger }: RecordedAttempt,
  timeMs: number,
  sequence: number,
  status: SchedulingDecision['status'],
): SchedulingDecision => {
  const { name, namespace = '' } = info.pod.metadata;
  return {
    apiVersion: apiVersionOf(SCHEDULING_DECISIONS),
    kind: SCHEDULING_DECISIONS.kind,
    metadata: {
      name: recordName(name, info.uid, number),
      namespace,
      uid: `${info.uid}-${number}`,
      resourceVersion: String(sequence),
      creationTimestamp: rfc3339(timeMs),
    },
    spec: {
      podName: name,
      podUID: info.uid,
      attempt: number,
      time: micros(timeMs),
      trigger,
    },
    status,
  };
};

/** Unique per attempt, sorts by pod, and stays within the length of a name. */
const recordName = (podName: string, uid: string, attempt: number): string => {
  const tail = `-${uid.replaceAll('-', '').slice(0, 8).toLowerCase()}-${attempt}`;
  return podName.slice(0, NAME_LENGTH_MAX - tail.length) + tail;
};

const micros = (ms: number): string => {
  const fraction = Math.floor((ms - Math.floor(ms)) * 1000);
  return `${new Date(ms).toISOString().slice(0, 23)}${String(fraction).padStart(3, '0')}Z`;
};

const NAME_LENGTH_MAX = 253;

const RECORD = z.looseObject({
  apiVersion: z.string(),
  kind: z.literal(SCHEDULING_DECISIONS.kind),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string(),
    resourceVersion: z.string().regex(/^\d{1,15}$/),
  }),
  spec: z.looseObject({
    podName: z.string(),
    podUID: z.string(),
    attempt: z.number(),
    time: z.string(),
    trigger: z.string(),
  }),
  status: z.looseObject({
    outcome: z.enum(['Scheduled', 'Unschedulable', 'Error']),
    nodesConsidered: z.number(),
    nodesFeasible: z.number(),
    reasons: z.record(z.string(), z.number()),
    top: z.array(z.looseObject({ node: z.string(), total: z.number() })),
    message: z.string(),
    latencyMicros: z.number(),
  }),
});
