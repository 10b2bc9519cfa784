import { hostPortsClash, type HostPort } from '../../../api/pods';
import type { HeldPort, NodeView } from '../node-info';
import type { PodInfo } from '../pod-info';
import { COST, removalRemedy, type FilterPlugin } from './plugin';

/** Keeps pods off nodes where another pod holds a host port they ask for. */
export const nodePorts: FilterPlugin = {
  name: 'NodePorts',
  scope: 'node',
  wakeOn: ['PodRemoved'],

  filter({ hostPorts }, { heldPorts }) {
    if (hostPorts.length === 0 || heldPorts.length === 0) return undefined;
    const isTaken = hostPorts.some((port) => heldPorts.some((held) => hostPortsClash(port, held)));
    return isTaken ? REFUSAL : undefined;
  },

  explain(pod, node) {
    return clashes(pod, node).map(([port, held]) => ({
      reason: REASON,
      detail: `host port ${formatPort(port)} is held by pod ${held.holder.key}${asHeld(port, held)}`,
    }));
  },

  remedies(pod, node) {
    const holders = new Map(
      clashes(pod, node).map(([, { holder }]) => [holder.uid, holder] as const),
    );
    const pods = [...holders.values()];
    if (pods.length === 0) return [];
    const ports = clashes(pod, node).map(([port]) => formatPort(port));
    const gain = `free host port ${[...new Set(ports)].join(' and ')} on ${node.name}`;
    return [removalRemedy(gain, COST.deletePods + pods.length, pods)];
  },
};

const clashes = (
  { hostPorts }: PodInfo,
  { heldPorts }: NodeView,
): readonly (readonly [HostPort, HeldPort])[] =>
  hostPorts.flatMap((port) =>
    heldPorts.filter((held) => hostPortsClash(port, held)).map((held) => [port, held] as const),
  );

const formatPort = ({ port, protocol }: HostPort): string => `${port}/${protocol}`;

// Worth saying only where the two name different addresses: 0.0.0.0 overlaps every one.
const asHeld = (port: HostPort, held: HostPort): string =>
  port.hostIP === held.hostIP ? '' : ` (on ${held.hostIP}, this pod asks for ${port.hostIP})`;

const REASON = "node(s) didn't have free ports for the requested pod ports";
const REFUSAL = { reasons: [REASON], isPodBound: true } as const;
