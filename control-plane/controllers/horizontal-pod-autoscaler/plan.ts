import { withCondition, type ConditionInput } from '../../../api/pods';
import { parseQuantity } from '../../../api/quantity';
import type { Scale } from '../../../api/scale';
import { matchesRequirements, parseLabelSelector, SelectorError } from '../../../api/selectors';
import type { HorizontalPodAutoscaler, Pod } from '../../../api/types';
import { rfc3339 } from '../../../lib/clock';
import { memoryMs, normalize } from './behavior';
import { recommended, type History } from './history';
import { evaluateMetric, type MetricOutcome, type MetricStatus } from './metric-sources';
import type { MetricsAnswer } from './metric-values';
import type { AutoscalerStatus } from './status';
import type { Tolerances } from './replica-calculator';

type Spec = NonNullable<HorizontalPodAutoscaler['spec']>;

export interface PlanInput {
  readonly autoscaler: HorizontalPodAutoscaler;
  readonly scale: Scale;
  /** All of the namespace. */
  readonly pods: readonly Pod[];
  readonly answer: MetricsAnswer;
  /** `namespace/name` of every autoscaler whose target selects one of these pods, this one too. */
  readonly selecting: (pods: readonly Pod[]) => readonly string[];
  readonly history: History;
  readonly nowMs: number;
  /** As in the history. */
  readonly monotonicMs: number;
}

export interface Told {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

export interface Plan {
  readonly events: readonly Told[];
  /** The status when nothing more happens: the target is as it was. */
  readonly status: AutoscalerStatus;
  readonly history: History;
  /** Write this size to the target, and then say so. */
  readonly rescale?: { readonly replicas: number; readonly reason: string };
  /** Why nothing could be decided, or not by all metrics. */
  readonly problem?: string;
}

/** Is the size within its limits, so that metrics decide? */
export const needsMetrics = (
  { spec }: HorizontalPodAutoscaler,
  { spec: { replicas = 0 } }: Scale,
) =>
  !(replicas === 0 && minOf(spec) !== 0) &&
  replicas <= (spec?.maxReplicas ?? 0) &&
  replicas >= minOf(spec);

/**
 * One step of an autoscaler whose target has a scale. Conditions, events and words are upstream's, from
 * `pkg/controller/podautoscaler/horizontal.go`.
 */
export const planAutoscaler = (input: PlanInput): Plan => {
  const { autoscaler, scale } = input;
  const { spec } = autoscaler;
  const { replicas: current = 0 } = scale.spec;
  const [min, max] = [minOf(spec), spec?.maxReplicas ?? 0];
  const found = new Draft(input, current).condition(GOT_SCALE);
  if (current === 0 && min !== 0) return found.condition(DISABLED).resting(0);
  if (current > max)
    return found.resized(max, 'Current number of replicas above Spec.MaxReplicas', []);
  if (current < min)
    return found.resized(min, 'Current number of replicas below Spec.MinReplicas', []);
  return byMetrics(input, found, { current, min, max });
};

const byMetrics = (
  input: PlanInput,
  draft: Draft,
  { current, min, max }: { readonly current: number; readonly min: number; readonly max: number },
): Plan => {
  const { autoscaler, scale, history, monotonicMs } = input;
  const chosen = selected(input, scale.status.selector ?? '');
  if ('problem' in chosen)
    return draft.say(chosen.event).condition(chosen.condition).failed(chosen.problem, []);
  const { metrics = [], behavior } = autoscaler.spec ?? {};
  const { namespace = '' } = autoscaler.metadata;
  const tolerances = tolerancesOf(behavior);
  const context = { ...input, namespace, pods: chosen.pods, tolerances, currentReplicas: current };
  const outcomes = metrics.map((metric) => evaluateMetric(metric, context));
  const judged = judge(outcomes, current);
  const statuses = outcomes.map(statusOf);
  const told = outcomes.reduce(
    (each, outcome) =>
      outcome.isValid ? each : each.say(warning(outcome.reason, outcome.message)),
    draft,
  );
  if (judged.replicas === undefined)
    return told.condition(judged.condition).failed(judged.problem ?? '', statuses);
  const bounds = { current, min, max, behavior, history, nowMs: monotonicMs };
  const normal = normalize({ ...bounds, desired: judged.replicas });
  const reason =
    judged.replicas > current ? `${judged.name} above target` : 'All metrics below target';
  const { isLimited, ...limit } = normal.limit;
  const decided = told
    .because(judged.problem)
    .condition(judged.condition)
    .condition({ type: 'AbleToScale', status: 'True', ...normal.ability })
    .condition({ type: 'ScalingLimited', status: isLimited ? 'True' : 'False', ...limit })
    .remember(recommended(history, judged.replicas, monotonicMs, memoryMs(behavior)));
  return normal.replicas === current
    ? decided.resting(current, statuses)
    : decided.resized(normal.replicas, judged.replicas === current ? '' : reason, statuses);
};

type Selected =
  | { readonly pods: readonly Pod[] }
  | { readonly problem: string; readonly event: Told; readonly condition: ConditionInput };

const selected = ({ pods, selecting }: PlanInput, selector: string): Selected => {
  if (selector === '')
    return unselected('SelectorRequired', 'selector is required', {
      reason: 'InvalidSelector',
      message: "the HPA target's scale is missing a selector",
    });
  try {
    const requirements = parseLabelSelector(selector);
    const own = pods.filter(({ metadata }) =>
      matchesRequirements(requirements, metadata.labels ?? {}),
    );
    const others = selecting(own);
    if (others.length <= 1) return { pods: own };
    const why = `pods by selector ${selector} are controlled by multiple HPAs: [${others.join(' ')}]`;
    return unselected('AmbiguousSelector', why);
  } catch (error) {
    if (!(error instanceof SelectorError)) throw error;
    return unselected(
      'InvalidSelector',
      `couldn't convert selector into a corresponding internal selector object: ${error.message}`,
    );
  }
};

const unselected = (
  reason: string,
  problem: string,
  told: { readonly reason: string; readonly message: string } = { reason, message: problem },
): Selected => ({
  problem,
  event: warning(reason, problem),
  condition: { type: 'ScalingActive', status: 'False', ...told },
});

interface Judgement {
  /** Undefined: nothing may be decided. */
  readonly replicas?: number;
  readonly name: string;
  readonly condition: ConditionInput;
  readonly problem?: string;
}

/** The metric that wants most decides; with one that is not known, at least nothing is taken away. */
const judge = (outcomes: readonly MetricOutcome[], current: number): Judgement => {
  const valid = outcomes.filter((outcome) => outcome.isValid);
  const invalid = outcomes.filter((outcome) => !outcome.isValid);
  const most = valid.reduce<(typeof valid)[number] | undefined>(
    (best, each) => (best === undefined || each.replicas > best.replicas ? each : best),
    undefined,
  );
  const [first] = invalid;
  const problem =
    first &&
    `invalid metrics (${invalid.length} invalid out of ${outcomes.length}), first error is: ${first.summary}`;
  const failing = problem === undefined ? {} : { problem };
  if (most === undefined || (first !== undefined && most.replicas < current))
    return {
      name: '',
      ...failing,
      condition: {
        ...{ type: 'ScalingActive', status: 'False', reason: first?.reason ?? '' },
        message: `the HPA was unable to compute the replica count: ${first?.message ?? ''}`,
      },
    };
  return {
    ...failing,
    replicas: most.replicas,
    name: most.name,
    condition: {
      ...{ type: 'ScalingActive', status: 'True', reason: 'ValidMetricFound' },
      message: `the HPA was able to successfully calculate a replica count from ${most.name}`,
    },
  };
};

/** What an autoscaler says when it is done, as it grows. */
class Draft {
  private history: History;
  private conditions: AutoscalerStatus['conditions'];
  private readonly events: Told[] = [];
  private problem: string | undefined;

  constructor(
    private readonly input: PlanInput,
    private readonly current: number,
  ) {
    this.history = input.history;
    this.conditions = input.autoscaler.status?.conditions;
  }

  condition(condition: ConditionInput): this {
    this.conditions = withCondition(this.conditions, condition, rfc3339(this.input.nowMs));
    return this;
  }

  say(event: Told): this {
    this.events.push(event);
    return this;
  }

  because(problem: string | undefined): this {
    this.problem = problem;
    return this;
  }

  remember(history: History): this {
    this.history = history;
    return this;
  }

  failed(problem: string, metrics: readonly MetricStatus[]): Plan {
    const { desiredReplicas = 0 } = this.input.autoscaler.status ?? {};
    return this.say(warning('FailedComputeMetricsReplicas', problem))
      .because(problem)
      .resting(desiredReplicas, metrics);
  }

  resting(desired: number, metrics: readonly MetricStatus[] = []): Plan {
    const { events, history, problem } = this;
    return {
      ...{ events, history, status: this.status(desired, metrics) },
      ...(problem === undefined ? {} : { problem }),
    };
  }

  resized(replicas: number, reason: string, metrics: readonly MetricStatus[]): Plan {
    return { ...this.resting(replicas, metrics), rescale: { replicas, reason } };
  }

  private status(desiredReplicas: number, metrics: readonly MetricStatus[]): AutoscalerStatus {
    const { currentReplicas: _before, ...kept } = this.input.autoscaler.status ?? {};
    return {
      ...kept,
      // None is not written, as upstream: what is stored must compare equal.
      ...(this.current === 0 ? {} : { currentReplicas: this.current }),
      desiredReplicas,
      // Upstream writes null for none.
      currentMetrics: (metrics.length === 0 ? null : metrics) as readonly MetricStatus[],
      conditions: this.conditions ?? [],
    };
  }
}

const minOf = (spec: Spec | undefined): number => spec?.minReplicas ?? 1;

export const warning = (reason: string, message: string): Told => ({
  ...{ type: 'Warning', reason, message },
});

/** Of a metric that could not be had, upstream writes an empty type. */
const statusOf = (outcome: MetricOutcome): MetricStatus =>
  outcome.isValid ? outcome.status : { type: '' };

const tolerancesOf = (behavior: Spec['behavior']): Tolerances => ({
  up: toleranceOf(behavior?.scaleUp),
  down: toleranceOf(behavior?.scaleDown),
});

const toleranceOf = (rules: object | undefined): number => {
  // The declarations do not have it yet.
  const { tolerance } = (rules ?? {}) as { readonly tolerance?: string };
  return tolerance === undefined ? TOLERANCE : Number(parseQuantity(tolerance).nanos) / 1e9;
};

/** Upstream's `--horizontal-pod-autoscaler-tolerance`. */
const TOLERANCE = 0.1;

const GOT_SCALE: ConditionInput = {
  ...{ type: 'AbleToScale', status: 'True', reason: 'SucceededGetScale' },
  message: "the HPA controller was able to get the target's current scale",
};
const DISABLED: ConditionInput = {
  ...{ type: 'ScalingActive', status: 'False', reason: 'ScalingDisabled' },
  message: 'scaling is disabled since the replica count of the target is zero',
};
