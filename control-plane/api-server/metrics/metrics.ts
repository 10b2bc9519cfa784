import type { WatchCaches } from '../../store/watch-cache';
import type { ApiResponse } from '../http/exchange';
import type { KindRegistry } from '../kinds/kind-registry';
import { storeNameOf } from '../kinds/served-kind';
import type { CertificateLife } from '../../../lib/certificate-life';
import type { LagHistogram } from '../../../lib/event-loop-monitor';
import type { WebhookMetrics } from '../admission/webhooks';
import { METRICS_TYPE, metric, processMetrics } from '../../../lib/metrics-text';
import type { RequestMetrics } from './request-metrics';

/** What is measured beside requests. */
interface Measured {
  readonly caches: WatchCaches;
  readonly webhooks: Pick<WebhookMetrics, 'lines'>;
  /** What others measure of themselves, in the text format. */
  readonly moreMetrics?: readonly { lines(): readonly string[] }[];
  readonly auditor?: { readonly lostCount: number };
  readonly lag?: () => LagHistogram;
  readonly certificates?: () => Readonly<Record<string, CertificateLife>>;
  readonly objectFaults?: { series(): readonly (readonly [labels: string, value: number])[] };
}

/** What /metrics answers: requests, stored objects, and what the process uses. */
export const metricsResponse = (
  requests: RequestMetrics,
  kinds: KindRegistry,
  { caches, webhooks, auditor, lag, objectFaults, certificates, moreMetrics = [] }: Measured,
): ApiResponse => {
  const lines = [
    ...requests.lines(),
    ...metric(
      'apiserver_storage_objects',
      'gauge',
      'Stored objects by resource.',
      [...new Set(kinds.stored().map(storeNameOf))].map(
        (name) => [`resource="${name}"`, caches.of(name).list().items.length] as const,
      ),
    ),
    ...webhooks.lines(),
    ...moreMetrics.flatMap((each) => each.lines()),
    ...(auditor === undefined
      ? []
      : metric('apiserver_audit_error_total', 'counter', 'Audit events that were lost.', [
          ['plugin="log"', auditor.lostCount],
        ])),
    ...metric(
      'dhow_object_faults_total',
      'counter',
      'Objects that a component could not handle, by component and resource; events name them.',
      objectFaults?.series() ?? [],
    ),
    ...metric(
      'dhow_certificate_expiration_timestamp_seconds',
      'gauge',
      'When the certificates of this server end; nothing renews that of the authority, ca.',
      Object.entries(certificates?.() ?? {}).map(
        ([name, { untilMs }]) => [`certificate="${name}"`, untilMs / 1000] as const,
      ),
    ),
    ...processMetrics(lag?.()),
  ];
  return {
    status: 200,
    headers: { 'content-type': METRICS_TYPE },
    body: `${lines.join('\n')}\n`,
  };
};
