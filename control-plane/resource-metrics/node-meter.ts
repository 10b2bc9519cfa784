import type { UsageReport } from '../../client/node-connections';
import type { Clock } from '../../lib/clock';
import { parseSample, type Sample } from './sample';
import { usageBetween, type NodeUsage } from './usage';

/** What a node used, and when that was, by this server's clock. */
export interface MeasuredUsage extends NodeUsage {
  readonly atMs: number;
}

/**
 * One node's usage, measured when somebody asks for it and then good for a while. The counters of the last
 * time are where the next window begins; when they are too old for that, two samples are taken at once.
 */
export class NodeMeter {
  private last: { readonly sample: Sample; readonly atMs: number } | undefined;
  private askedAtMs: number | undefined;
  private underWay: Promise<void> | undefined;
  private measured: MeasuredUsage | undefined;
  /** It did not answer the last time: nobody waits for it until it does. */
  private isLate = false;

  constructor(
    private readonly read: () => Promise<UsageReport>,
    private readonly clock: Clock,
  ) {}

  /** Undefined when the node did not answer, or with nonsense. */
  get usage(): MeasuredUsage | undefined {
    return this.measured;
  }

  /** What it does meanwhile goes to `work`. Resolves when there is something to be waited for no more. */
  async refresh(work: (task: () => Promise<void>) => void): Promise<void> {
    const nowMs = this.clock.monotonicMs();
    const isFresh = this.askedAtMs !== undefined && nowMs - this.askedAtMs < FRESH_MS;
    if (this.underWay === undefined && !isFresh) {
      this.askedAtMs = nowMs;
      this.underWay = this.measure().finally(() => (this.underWay = undefined));
      const { underWay } = this;
      work(() => underWay);
    }
    if (!this.isLate) await this.underWay;
  }

  private async measure(): Promise<void> {
    try {
      this.measured = await this.measureOnce();
      this.isLate = false;
    } catch {
      this.measured = undefined;
      this.isLate = true;
    }
  }

  private async measureOnce(): Promise<MeasuredUsage | undefined> {
    const { clock } = this;
    const startMs = clock.monotonicMs();
    const known = this.last;
    const isYoung = known !== undefined && startMs - known.atMs <= BASE_AGE_MAX_MS;
    let base = isYoung ? known.sample : undefined;
    let sample = await this.sample();
    if (base?.clockId !== sample.clockId) {
      base = sample;
      await clock.sleep(FIRST_WINDOW_MS);
      sample = await this.sample();
    }
    this.last = { sample, atMs: startMs };
    const usage = usageBetween(base, sample);
    return usage && { ...usage, atMs: clock.now() };
  }

  private async sample(): Promise<Sample> {
    const sample = parseSample(await this.read());
    if (sample === undefined) throw new Error('the node reports no numbers');
    return sample;
  }
}

/** Shorter than the period of what asks regularly, so that it finds each time something new. */
const FRESH_MS = 10_000;
const BASE_AGE_MAX_MS = 60_000;
const FIRST_WINDOW_MS = 1000;
