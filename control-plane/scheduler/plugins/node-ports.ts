import { hostPortsClash, type HostPort } from '../../../api/pods';
import type { HeldPort, NodeView } from '../node-info';
import { COST, removalRemedy, type FilterPlugin, type FilterTerm } from './plugin';

/** Keeps pods off nodes where another pod holds a host port they ask for. */
export const nodePorts: FilterPlugin = {
  name: 'NodePorts',
  scope: 'node',
  wakeOn: ['PodRemoved'],

  prepare: ({ hostPorts }) => (hostPorts.length === 0 ? undefined : termOf(hostPorts)),
};

const termOf = (ports: readonly HostPort[]): FilterTerm => ({
  refuse: ({ heldPorts }) =>
    heldPorts.length > 0 &&
    ports.some((port) => heldPorts.some((held) => hostPortsClash(port, held)))
      ? REFUSAL
      : undefined,

  explain: (node) =>
    clashes(ports, node).map(([port, held]) => ({
      reason: REASON,
      detail: `host port ${formatPort(port)} is held by pod ${held.holder.key}${asHeld(port, held)}`,
    })),

  remedies(node) {
    const found = clashes(ports, node);
    const pods = [...new Map(found.map(([, { holder }]) => [holder.uid, holder])).values()];
    if (pods.length === 0) return [];
    const names = new Set(found.map(([port]) => formatPort(port)));
    const gain = `free host port ${[...names].join(' and ')} on ${node.name}`;
    return [removalRemedy(gain, COST.deletePods + pods.length, pods)];
  },
});

const clashes = (
  ports: readonly HostPort[],
  { heldPorts }: NodeView,
): readonly (readonly [HostPort, HeldPort])[] =>
  ports.flatMap((port) =>
    heldPorts.filter((held) => hostPortsClash(port, held)).map((held) => [port, held] as const),
  );

const formatPort = ({ port, protocol }: HostPort): string => `${port}/${protocol}`;

// Worth saying only where the two name different addresses: 0.0.0.0 overlaps every one.
const asHeld = (port: HostPort, held: HostPort): string =>
  port.hostIP === held.hostIP ? '' : ` (on ${held.hostIP}, this pod asks for ${port.hostIP})`;

const REASON = "node(s) didn't have free ports for the requested pod ports";
const REFUSAL = { reasons: [REASON], isPodBound: true } as const;
