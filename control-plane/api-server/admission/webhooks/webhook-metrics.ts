import { Histogram } from '../../../../lib/histogram';
import { histograms, metric } from '../../../../lib/metrics-text';

/** In which round a webhook is asked, as upstream's metrics call it. */
export type HookStep = 'admit' | 'validating';

interface Observation {
  readonly hook: string;
  readonly step: HookStep;
  readonly operation: string;
  /** Of the answer: 200 for one that was allowed. */
  readonly code: number;
  readonly isRejected: boolean;
  readonly seconds: number;
}

/** What becomes of calls of webhooks, by upstream's names. Memory is bounded by `SERIES_MAX`. */
export class WebhookMetrics {
  private readonly requests = new Map<string, number>();
  private readonly rejections = new Map<string, number>();
  private readonly failedOpen = new Map<string, number>();
  private readonly durations = new Map<string, Histogram>();

  observe({ hook, step, operation, code, isRejected, seconds }: Observation): void {
    const common = `name="${hook}",type="${step}",operation="${operation}"`;
    add(this.requests, `${common},code="${code}",rejected="${isRejected}"`);
    const labels = `${common},rejected="${isRejected}"`;
    const known = this.durations.get(labels);
    if (known === undefined && this.durations.size >= SERIES_MAX) return;
    const duration = known ?? new Histogram(BOUNDS);
    duration.observe(seconds);
    this.durations.set(labels, duration);
  }

  reject(hook: string, step: HookStep, operation: string, errorType: string, code: number): void {
    const common = `name="${hook}",type="${step}",operation="${operation}"`;
    add(this.rejections, `${common},error_type="${errorType}",rejection_code="${code}"`);
  }

  failOpen(hook: string, step: HookStep): void {
    add(this.failedOpen, `name="${hook}",type="${step}"`);
  }

  /** Source: the Prometheus text format, 0.0.4. */
  lines(): readonly string[] {
    return [
      ...metric(
        'apiserver_admission_webhook_request_total',
        'counter',
        'Calls of admission webhooks by name, type, operation, code and whether it was a refusal.',
        [...this.requests],
      ),
      ...metric(
        'apiserver_admission_webhook_rejection_count',
        'counter',
        'Refusals by admission webhooks, by name, type, operation, kind of error and code.',
        [...this.rejections],
      ),
      ...metric(
        'apiserver_admission_webhook_fail_open_count',
        'counter',
        'Calls of admission webhooks that failed and were let through, by name and type.',
        [...this.failedOpen],
      ),
      ...histograms(
        'apiserver_admission_webhook_admission_duration_seconds',
        'How long admission webhooks took, by name, type, operation and refusal.',
        [...this.durations],
      ),
    ];
  }
}

const add = (counts: Map<string, number>, labels: string): void => {
  const known = counts.get(labels);
  if (known === undefined && counts.size >= SERIES_MAX) return;
  counts.set(labels, (known ?? 0) + 1);
};

const BOUNDS = [0.005, 0.025, 0.1, 0.5, 1, 2.5, 10, 25];
const SERIES_MAX = 1000;
