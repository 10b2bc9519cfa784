import { EXACT, quantitiesOf } from '../../../api/amounts';
import { podLevelList } from '../../../api/pod-level-resources';
import { isRestartableInit, isTerminating, podCondition, podTotal } from '../../../api/pods';
import { parseQuantity, quantityMillis } from '../../../api/quantity';
import type { Pod } from '../../../api/types';

/** What a pod uses of one thing, in thousandths: millicores, thousandths of bytes. */
export interface PodMetric {
  readonly millis: bigint;
  /** The end of the window, by the wall clock. */
  readonly atMs: number;
  readonly windowMs: number;
}

/** By the name of the pod. */
export type PodMetricValues = ReadonlyMap<string, PodMetric>;

/** How far usage may be from its target before anything is done about it: shares of the target. */
export interface Tolerances {
  readonly up: number;
  readonly down: number;
}

export interface ReplicaInput {
  readonly currentReplicas: number;
  /** All that the target selects. */
  readonly pods: readonly Pod[];
  readonly metrics: PodMetricValues;
  readonly tolerances: Tolerances;
  /** CPU of pods that start says little of what they will use. */
  readonly isCpu: boolean;
  readonly nowMs: number;
}

export interface ReplicaProposal {
  readonly replicas: number;
  readonly averageMillis: bigint;
  /** Percent of what is requested, where that is the measure. */
  readonly utilization?: number;
}

/** A metric that cannot be had. `message` is upstream's wording. */
export class MetricError extends Error {
  override readonly name = 'MetricError';
}

/**
 * How many replicas bring the pods to a share of what they request. Source: upstream's
 * `pkg/controller/podautoscaler/replica_calculator.go`. @throws MetricError
 */
export const replicasForUtilization = (
  input: ReplicaInput,
  requests: ReadonlyMap<string, bigint>,
  targetPercent: number,
): ReplicaProposal => {
  // A pod that tells nothing may use all that it asks for, or all that it is meant to.
  const most = BigInt(Math.max(100, targetPercent));
  return replicasFor(input, {
    measure: (values) => {
      const known = [...values].filter(([name]) => requests.has(name));
      const used = sum(known.map(([, millis]) => millis));
      const requested = sum(known.map(([name]) => requests.get(name) ?? 0n));
      if (requested === 0n) throw new MetricError('no metrics returned matched known pods');
      const utilization = Number((used * 100n) / requested);
      const averageMillis = used / BigInt(known.length);
      return { ratio: utilization / targetPercent, utilization, averageMillis };
    },
    mostOf: (name) => ((requests.get(name) ?? 0n) * most) / 100n,
  });
};

/** How many replicas bring the pods to an amount each, on average. @throws MetricError */
export const replicasForAverage = (input: ReplicaInput, targetMillis: bigint): ReplicaProposal =>
  replicasFor(input, {
    measure: (values) => {
      const averageMillis = sum(values.values()) / BigInt(values.size);
      return { ratio: Number(averageMillis) / Number(targetMillis), averageMillis };
    },
    mostOf: () => targetMillis,
  });

/**
 * What the pods, or their containers of this name, ask of a resource: pods that ask themselves with what
 * runs around them, others as their containers do.
 * @throws MetricError for one that does not say
 */
export const requestsOf = (
  pods: readonly Pod[],
  resource: string,
  containerName: string | undefined,
): ReadonlyMap<string, bigint> =>
  new Map(
    pods.map((pod) => {
      const asksItself = Object.keys(podLevelList(pod.spec, 'requests')).length > 0;
      return [
        pod.metadata.name,
        asksItself && containerName === undefined
          ? requestOfPod(pod, resource)
          : requestOfContainers(pod, resource, containerName),
      ];
    }),
  );

const requestOfPod = ({ metadata, spec }: Pod, resource: string): bigint => {
  const request = podTotal(spec, 'requests', EXACT).get(resource);
  const overhead = quantitiesOf(spec.overhead).get(resource);
  if (request === undefined && overhead === undefined)
    throw new MetricError(`missing pod-level request for ${resource} in Pod ${metadata.name}`);
  return sum([request, overhead].map((each) => (each === undefined ? 0n : quantityMillis(each))));
};

const requestOfContainers = (
  { metadata, spec }: Pod,
  resource: string,
  containerName: string | undefined,
): bigint => {
  const lasting = (spec.initContainers ?? []).filter(isRestartableInit);
  const asked = [...spec.containers, ...lasting].filter(
    ({ name }) => containerName === undefined || name === containerName,
  );
  return sum(
    asked.map(({ name, resources }) => {
      const request = resources?.requests?.[resource];
      if (request === undefined)
        throw new MetricError(
          `missing request for ${resource} in container ${name} of Pod ${metadata.name}`,
        );
      return quantityMillis(parseQuantity(request));
    }),
  );
};

interface Measurement extends Omit<ReplicaProposal, 'replicas'> {
  /** Of usage to its target. */
  readonly ratio: number;
}

interface Measure {
  readonly measure: (values: ReadonlyMap<string, bigint>) => Measurement;
  /** What a pod without metrics is taken to use, where few replicas would be rash. */
  readonly mostOf: (name: string) => bigint;
}

const replicasFor = (input: ReplicaInput, { measure, mostOf }: Measure): ReplicaProposal => {
  const { currentReplicas, pods, metrics, tolerances } = input;
  if (pods.length === 0)
    throw new MetricError('no pods returned by selector while calculating replica count');
  const { readyCount, unready, missing, ignored } = groupPods(input);
  const values = new Map<string, bigint>();
  for (const [name, { millis }] of metrics)
    if (!unready.has(name) && !ignored.has(name)) values.set(name, millis);
  if (values.size === 0)
    throw new MetricError('did not receive metrics for targeted pods (pods might be unready)');
  const { ratio, ...measured } = measure(values);
  const unchanged = { ...measured, replicas: currentReplicas };
  const countsUnready = unready.size > 0 && ratio > 1;
  if (!countsUnready && missing.size === 0)
    return isWithin(ratio, tolerances)
      ? unchanged
      : { ...measured, replicas: Math.ceil(ratio * readyCount) };
  // What is not known speaks against the change.
  if (ratio < 1) for (const name of missing) values.set(name, mostOf(name));
  if (ratio > 1) for (const name of missing) values.set(name, 0n);
  if (countsUnready) for (const name of unready) values.set(name, 0n);
  const { ratio: cautious } = measure(values);
  const isTurned = (ratio < 1 && cautious > 1) || (ratio > 1 && cautious < 1);
  if (isWithin(cautious, tolerances) || isTurned) return unchanged;
  const replicas = Math.ceil(cautious * values.size);
  const isContrary =
    (cautious < 1 && replicas > currentReplicas) || (cautious > 1 && replicas < currentReplicas);
  return isContrary ? unchanged : { ...measured, replicas };
};

interface PodGroups {
  readonly readyCount: number;
  readonly unready: ReadonlySet<string>;
  readonly missing: ReadonlySet<string>;
  readonly ignored: ReadonlySet<string>;
}

const groupPods = (input: ReplicaInput): PodGroups => {
  const { pods, metrics, isCpu, nowMs } = input;
  const groups = {
    ready: new Set<string>(),
    unready: new Set<string>(),
    missing: new Set<string>(),
    ignored: new Set<string>(),
  };
  const groupOf = (pod: Pod): keyof typeof groups => {
    if (isTerminating(pod) || pod.status.phase === 'Failed') return 'ignored';
    if (pod.status.phase === 'Pending') return 'unready';
    const metric = metrics.get(pod.metadata.name);
    if (metric === undefined) return 'missing';
    return isCpu && isStarting(pod, metric, nowMs) ? 'unready' : 'ready';
  };
  for (const pod of pods) groups[groupOf(pod)].add(pod.metadata.name);
  return { ...groups, readyCount: groups.ready.size };
};

/** Is what it uses now no measure of what it will use? */
const isStarting = (pod: Pod, { atMs, windowMs }: PodMetric, nowMs: number): boolean => {
  const { startTime } = pod.status;
  const ready = podCondition(pod, 'Ready');
  if (ready === undefined || startTime === undefined) return true;
  const startMs = Date.parse(startTime);
  const turnedMs = Date.parse(ready.lastTransitionTime ?? '') || 0;
  const isUnready = ready.status === 'False';
  // Of a pod that is new enough, no window may reach into the time before it was ready.
  if (startMs + CPU_INITIALIZATION_MS > nowMs) return isUnready || atMs < turnedMs + windowMs;
  return isUnready && startMs + FIRST_READINESS_MS > turnedMs;
};

const isWithin = (ratio: number, { up, down }: Tolerances): boolean =>
  1 - down <= ratio && ratio <= 1 + up;

const sum = (amounts: Iterable<bigint>): bigint => {
  let total = 0n;
  for (const amount of amounts) total += amount;
  return total;
};

/** Upstream's `--horizontal-pod-autoscaler-cpu-initialization-period`. */
const CPU_INITIALIZATION_MS = 5 * 60_000;
/** Upstream's `--horizontal-pod-autoscaler-initial-readiness-delay`. */
const FIRST_READINESS_MS = 30_000;
