import type { LagHistogram } from '../../lib/event-loop-monitor';
import { isJsonObject } from '../../lib/json';
import { labelText, metric, processMetrics, type Series } from '../../lib/metrics-text';
import type { ServiceCounts } from '../services/service-proxy';

/** What the agent knows of itself and of its companions. */
export interface AgentCounts {
  readonly nodeName: string;
  readonly podCount: number;
  /** By their state. */
  readonly containers: ReadonlyMap<string, number>;
  readonly services: ServiceCounts;
  /** As these processes say; undefined: there is none, or it has not said yet. */
  readonly resolver: object | undefined;
  readonly ingress: object | undefined;
  readonly lag: LagHistogram | undefined;
}

/** What the agent tells under `metrics`: the kubelet's names where the kubelet counts the same. */
export const agentMetrics = (counts: AgentCounts): readonly string[] => [
  ...metric('kubelet_node_name', 'gauge', "The node's name. The count is always 1.", [
    [labelText({ node: counts.nodeName }), 1],
  ]),
  ...metric(
    'kubelet_running_containers',
    'gauge',
    'Number of containers currently running',
    [...counts.containers].map(([state, count]) => [labelText({ container_state: state }), count]),
  ),
  ...metric('kubelet_running_pods', 'gauge', 'Number of pods that have a running pod sandbox', [
    ['', counts.podCount],
  ]),
  ...metric(
    'dhow_service_changes_total',
    'counter',
    'Ports of services that were put into the rules of the node, changed or taken out.',
    [['', counts.services.changeCount]],
  ),
  ...metric(
    'dhow_service_restorations_total',
    'counter',
    'How often rules of services, which others had changed, were put back.',
    [['', counts.services.restoredCount]],
  ),
  ...COMPANION_METRICS.flatMap(([companion, key, name, label, help]) =>
    metric(name, 'counter', help, seriesOf(counts[companion], key, label)),
  ),
  ...processMetrics(counts.lag),
];

/** Of a number, or of numbers by what they count; nothing of what is neither. */
const seriesOf = (counts: unknown, key: string, label: string): readonly Series[] => {
  const found: unknown = isJsonObject(counts) ? counts[key] : undefined;
  if (typeof found === 'number') return [['', found]];
  if (!isJsonObject(found)) return [];
  return Object.entries(found).flatMap(([each, count]): readonly Series[] =>
    typeof count === 'number' ? [[labelText({ [label]: each }), count]] : [],
  );
};

const COMPANION_METRICS: readonly (readonly [
  companion: 'resolver' | 'ingress',
  key: string,
  name: string,
  label: string,
  help: string,
])[] = [
  ['resolver', 'queries', 'dhow_dns_queries_total', 'type', 'Questions to the resolver.'],
  ['resolver', 'responses', 'dhow_dns_responses_total', 'rcode', 'Answers of the resolver.'],
  [
    ...(['resolver', 'outside', 'dhow_dns_outside_total', 'result'] as const),
    'What became of questions about names outside the cluster.',
  ],
  ['ingress', 'requestCount', 'dhow_ingress_requests_total', '', 'Requests to ingresses.'],
  [
    ...(['ingress', 'upgradeCount', 'dhow_ingress_upgrades_total', ''] as const),
    'Connections to ingresses that were upgraded.',
  ],
  [
    ...(['ingress', 'failureCount', 'dhow_ingress_failures_total', ''] as const),
    'Requests to ingresses that no endpoint answered.',
  ],
];
