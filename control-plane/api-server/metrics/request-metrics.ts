import { metric } from '../../../lib/metrics-text';

/** Counts requests, for whoever collects metrics. Memory is bounded by kinds, verbs and codes. */
export class RequestMetrics {
  private readonly counts = new Map<string, number>();

  count(verb: string, resource: string, code: number): void {
    const labels = `verb="${verb}",resource="${resource}",code="${code}"`;
    const known = this.counts.get(labels);
    if (known === undefined && this.counts.size >= SERIES_MAX) return;
    this.counts.set(labels, (known ?? 0) + 1);
  }

  /** Of a resource that is served no more: what comes and goes must not fill the bound. */
  forget(resource: string): void {
    for (const labels of this.counts.keys())
      if (labels.includes(`,resource="${resource}",`)) this.counts.delete(labels);
  }

  /** Source: the Prometheus text format, 0.0.4. */
  lines(): readonly string[] {
    return metric(
      'apiserver_request_total',
      'counter',
      'Requests by verb, resource and code of the answer.',
      [...this.counts].map(([labels, value]) => [labels, value] as const),
    );
  }
}

const SERIES_MAX = 5000;
