import type { Clock } from '../../lib/clock';
import { exponentialBounds, Histogram } from '../../lib/histogram';
import { histograms, labelText, metric } from '../../lib/metrics-text';
import type { Random } from '../../lib/random';

/** Where plugins are asked, by upstream's names. What they prepare once an attempt is PreFilter and PreScore. */
export type MeasuredPoint =
  | 'PreFilter'
  | 'Filter'
  | 'PostFilter'
  | 'PreScore'
  | 'Score'
  | 'ScoreExtensionNormalize'
  | 'PreBind'
  | 'Bind';

/** Upstream's names of how a call ended. */
export type CallStatus =
  'Success' | 'Skip' | 'Unschedulable' | 'UnschedulableAndUnresolvable' | 'Error';

/** Counts the calls of one plugin at one point, and times those of the attempts that are timed. */
export interface CallMeter {
  /** Before a call. */
  begin(): number;
  /** After it, with what `begin` gave. */
  end(startMs: number, status: CallStatus): void;
}

/** The meters of one profile. */
export interface ProfileMeter {
  /** The same one for the same names. */
  of(plugin: string, point: MeasuredPoint): CallMeter;
}

export interface PluginMetricsDeps {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly random: Random;
}

/**
 * What upstream's scheduler tells of its plugins, under its names. All calls are counted; of one attempt in
 * ten, drawn by lot, the first few are timed as well and stand for the rest: to look at the clock costs more
 * than many a call. An index asks a plugin only about what changed: there is less to count than pods times nodes. Memory is
 * bounded by plugins, points and profiles. Source: upstream's pkg/scheduler/metrics.
 */
export class PluginMetrics {
  private readonly profiles = new Map<string, Meters>();
  private readonly calls = new Map<string, Histogram>();
  private readonly points = new Map<string, Histogram>();
  private readonly attempt: TimedAttempt;

  constructor(private readonly deps: PluginMetricsDeps) {
    this.attempt = new TimedAttempt(deps.clock);
  }

  meterOf(profile: string): ProfileMeter {
    const known = this.profiles.get(profile) ?? new Meters(this.attempt, this.calls);
    this.profiles.set(profile, known);
    return known;
  }

  /** Decides one pod, maybe with the clock running. */
  during<T>(profile: string, decide: () => T): T {
    if (!this.isDrawn()) return decide();
    this.attempt.isOn = true;
    try {
      return decide();
    } finally {
      this.attempt.isOn = false;
      for (const [point, { ms, status }] of this.attempt.take())
        this.observePoint(point, status, profile, ms);
    }
  }

  /** One plugin's work behind a decision, which is all of its point. */
  behind<T>(what: Behind, work: Promise<T>, statusOf: (result: T) => CallStatus): Promise<T> {
    return this.isDrawn() ? this.timed(what, work, statusOf) : work;
  }

  /** In the text format of Prometheus. */
  lines(): readonly string[] {
    return [
      ...histograms(
        'scheduler_framework_extension_point_duration_seconds',
        'Latency for running all plugins of a specific extension point.',
        [...this.points],
      ),
      ...histograms(
        'scheduler_plugin_execution_duration_seconds',
        'Duration for running a plugin at a specific extension point.',
        [...this.calls],
      ),
      ...metric(
        'scheduler_plugin_evaluation_total',
        'counter',
        'Number of attempts to schedule pods by each plugin and the extension point (available only in PreFilter, Filter, PreScore, and Score).',
        [...this.profiles].flatMap(([profile, meters]) => meters.evaluations(profile)),
      ),
    ];
  }

  private async timed<T>(
    { profile, plugin, point }: Behind,
    work: Promise<T>,
    statusOf: (result: T) => CallStatus,
  ): Promise<T> {
    const startMs = this.deps.clock.monotonicMs();
    let status: CallStatus = 'Error';
    try {
      const result = await work;
      status = statusOf(result);
      return result;
    } finally {
      const ms = this.deps.clock.monotonicMs() - startMs;
      histogramOf(this.calls, callLabels(plugin, point, status), CALL_BOUNDS).observe(ms / 1000);
      this.observePoint(point, status, profile, ms);
    }
  }

  private isDrawn(): boolean {
    return this.deps.random.next() < TIMED_SHARE;
  }

  private observePoint(
    point: MeasuredPoint,
    status: CallStatus,
    profile: string,
    ms: number,
  ): void {
    const labels = labelText({ extension_point: point, status, profile });
    histogramOf(this.points, labels, POINT_BOUNDS).observe(ms / 1000);
  }
}

interface Behind {
  readonly profile: string;
  readonly plugin: string;
  readonly point: 'PreBind' | 'Bind';
}

interface Spent {
  ms: number;
  status: CallStatus;
}

/** What the points of the attempt that is being timed took so far. */
class TimedAttempt {
  isOn = false;
  /** Of a part of it: meters begin anew with each. */
  part = 0;
  private meters: Meter[] = [];
  private spent = new Map<MeasuredPoint, Spent>();

  constructor(private readonly clock: Pick<Clock, 'monotonicMs'>) {}

  nowMs(): number {
    return this.clock.monotonicMs();
  }

  /** One that is asked for the first time in this part. */
  join(meter: Meter): void {
    this.meters.push(meter);
  }

  add(point: MeasuredPoint, ms: number, status: CallStatus): void {
    const outcome = outcomeAt(point, status);
    const known = this.spent.get(point);
    if (known === undefined) {
      this.spent.set(point, { ms, status: outcome });
      return;
    }
    known.ms += ms;
    if (known.status !== 'Error' && outcome !== 'Success') known.status = outcome;
  }

  /** A part has ended. */
  settle(): void {
    for (const meter of this.meters) this.add(meter.point, meter.spentMs, meter.worst);
    this.drop();
  }

  /** As `settle`, of a part that another point has taken up. */
  drop(): void {
    this.part++;
    this.meters = [];
  }

  take(): Iterable<readonly [MeasuredPoint, Spent]> {
    this.settle();
    const { spent } = this;
    this.spent = new Map();
    return spent;
  }
}

/** That a node is refused is what Filter is for; that a plugin has no say is none's failure. */
const outcomeAt = (point: MeasuredPoint, status: CallStatus): CallStatus =>
  status === 'Skip' || (point === 'Filter' && status !== 'Error') ? 'Success' : status;

class Meters implements ProfileMeter {
  private readonly byName = new Map<string, Map<MeasuredPoint, Meter>>();

  constructor(
    private readonly attempt: TimedAttempt,
    private readonly calls: Map<string, Histogram>,
  ) {}

  of(plugin: string, point: MeasuredPoint): CallMeter {
    let points = this.byName.get(plugin);
    if (points === undefined) this.byName.set(plugin, (points = new Map<MeasuredPoint, Meter>()));
    let meter = points.get(point);
    if (meter === undefined) {
      meter = new Meter(plugin, point, this.attempt, this.calls);
      points.set(point, meter);
    }
    return meter;
  }

  evaluations(profile: string): readonly (readonly [labels: string, count: number])[] {
    return [...this.byName].flatMap(([plugin, points]) =>
      [...points].flatMap(([point, { count }]) =>
        COUNTED.has(point)
          ? [[labelText({ plugin, extension_point: point, profile }), count] as const]
          : [],
      ),
    );
  }
}

class Meter implements CallMeter {
  count = 0;
  worst: CallStatus = 'Success';
  private part = -1;
  private countBefore = 0;
  private timedCount = 0;
  private timedMs = 0;
  private readonly byStatus = new Map<CallStatus, Histogram>();

  constructor(
    private readonly plugin: string,
    readonly point: MeasuredPoint,
    private readonly attempt: TimedAttempt,
    private readonly calls: Map<string, Histogram>,
  ) {}

  begin(): number {
    this.count++;
    return this.attempt.isOn ? this.beginTimed() : NOT_TIMED;
  }

  end(startMs: number, status: CallStatus): void {
    if (startMs !== NOT_TIMED) this.endTimed(startMs, status);
  }

  /** Of this part of the attempt: those that were timed stand for the others. */
  get spentMs(): number {
    return (this.timedMs * (this.count - this.countBefore)) / Math.max(1, this.timedCount);
  }

  private beginTimed(): number {
    const { attempt } = this;
    if (this.point === 'PostFilter') attempt.settle();
    if (this.part !== attempt.part) {
      this.part = attempt.part;
      this.countBefore = this.count - 1;
      this.timedCount = 0;
      this.timedMs = 0;
      this.worst = 'Success';
      if (this.point !== 'PostFilter') attempt.join(this);
    }
    if (this.timedCount >= TIMED_CALLS_MAX) return NOT_TIMED;
    this.timedCount++;
    return attempt.nowMs();
  }

  private endTimed(startMs: number, status: CallStatus): void {
    const { attempt } = this;
    const ms = attempt.nowMs() - startMs;
    this.timedMs += ms;
    if (this.worst !== 'Error' && status !== 'Success') this.worst = status;
    this.durations(status).observe(ms / 1000);
    if (this.point !== 'PostFilter') return;
    // What filters were asked within it, about nodes that are not so yet, is no Filter of the attempt.
    attempt.drop();
    attempt.add(this.point, ms, status);
  }

  private durations(status: CallStatus): Histogram {
    const known = this.byStatus.get(status);
    if (known !== undefined) return known;
    const made = histogramOf(this.calls, callLabels(this.plugin, this.point, status), CALL_BOUNDS);
    this.byStatus.set(status, made);
    return made;
  }
}

const histogramOf = (
  known: Map<string, Histogram>,
  labels: string,
  bounds: readonly number[],
): Histogram => {
  let found = known.get(labels);
  if (found === undefined) known.set(labels, (found = new Histogram(bounds)));
  return found;
};

const callLabels = (plugin: string, point: MeasuredPoint, status: CallStatus): string =>
  labelText({ plugin, extension_point: point, status });

const TIMED_SHARE = 0.1;
/** Of a plugin at a point, in a part of an attempt: enough to know what the others take. */
const TIMED_CALLS_MAX = 8;
const NOT_TIMED = -1;
const POINT_BOUNDS = exponentialBounds(0.0001, 2, 12);
const CALL_BOUNDS = exponentialBounds(0.00001, 1.5, 20);
const COUNTED: ReadonlySet<MeasuredPoint> = new Set(['PreFilter', 'Filter', 'PreScore', 'Score']);
