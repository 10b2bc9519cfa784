import { countOf, NOTHING, sumOf, type Amounts } from '../../api/amounts';
import { WIREGUARD_ANNOTATION, wireguardEndOf } from '../../api/node-encryption';
import { PEER_WAYS_ANNOTATION } from '../../api/peer-ways';
import { formatTaint } from '../../api/taints';
import { exactRequests } from '../../api/pod-resources';
import { isTerminal } from '../../api/pods';
import { quantityMillis, quantityValue } from '../../api/quantity';
import type { Node, Pod } from '../../api/types';
import { formatTable } from '../output/table';
import { printable } from '../output/terminal';
import type { DescribeWriter } from './writer';

export const describeNode = (writer: DescribeWriter, node: Node, pods: readonly Pod[]): void => {
  const { metadata, spec, status } = node;
  writer.pairs(0, 'Labels', metadata.labels);
  writer.annotations(metadata.annotations);
  writer.field(0, 'Created', metadata.creationTimestamp ?? undefined);
  writer.field(0, 'Taints', (spec.taints ?? []).map(formatTaint).join(', '));
  writer.field(0, 'Unschedulable', spec.unschedulable === true);
  writer.field(0, 'PodCIDR', spec.podCIDR);
  const { podCIDRs = [] } = spec;
  if (podCIDRs.length > 1) writer.field(0, 'PodCIDRs', podCIDRs.join(','));
  describeWays(writer, node);
  writer.heading(0, 'Conditions');
  const conditions = (status.conditions ?? []).map((condition) => [
    condition.type,
    condition.status,
    condition.lastTransitionTime ?? '',
    condition.reason ?? '',
    printable(condition.message ?? ''),
  ]);
  writer.raw(
    1,
    formatTable(['Type', 'Status', 'LastTransitionTime', 'Reason', 'Message'], conditions),
  );
  const addresses = (status.addresses ?? []).map(({ type, address }) => `${type} ${address}`);
  writer.field(0, 'Addresses', addresses.join(', '));
  writer.pairs(0, 'Capacity', status.capacity);
  writer.pairs(0, 'Allocatable', status.allocatable);
  const info = status.nodeInfo;
  writer.field(0, 'Kernel Version', info?.kernelVersion);
  writer.field(0, 'OS Image', info?.osImage);
  writer.field(0, 'Container Runtime', info?.containerRuntimeVersion);
  describePodsOn(writer, pods);
};

/** Nodes say both of themselves. */
const describeWays = (writer: DescribeWriter, node: Node): void => {
  const { [WIREGUARD_ANNOTATION]: wireguard, [PEER_WAYS_ANNOTATION]: ways } =
    node.metadata.annotations ?? {};
  const end = wireguardEndOf(node);
  if (wireguard !== undefined)
    writer.field(0, 'Encryption', end === undefined ? 'none' : `WireGuard, UDP port ${end.port}`);
  if (ways !== undefined) writer.field(0, 'Ways to Peers', printable(ways));
};

const describePodsOn = (writer: DescribeWriter, pods: readonly Pod[]): void => {
  const active = pods.filter((pod) => !isTerminal(pod));
  if (active.length === 0) {
    writer.field(0, 'Pods', '<none>');
    return;
  }
  writer.heading(0, 'Pods');
  const requests = active.map(exactRequests);
  const rows = active.map(({ metadata }, i) => [
    ...[metadata.namespace ?? '', metadata.name],
    ...requested(requests[i] ?? NOTHING),
  ]);
  rows.push(['', 'Total requested', ...requested(requests.reduce(sumOf, NOTHING))]);
  writer.raw(1, formatTable(['Namespace', 'Name', 'CPU', 'Memory'], rows));
};

const requested = (amounts: Amounts): readonly [string, string] => [
  `${quantityMillis(amounts.get('cpu') ?? NONE)}m`,
  `${(quantityValue(amounts.get('memory') ?? NONE) + MEBIBYTE / 2n) / MEBIBYTE}Mi`,
];

const NONE = countOf(0);
const MEBIBYTE = 1024n * 1024n;
