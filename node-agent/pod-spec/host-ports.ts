import { hostPortsOf } from '../../api/pods';
import type { Pod } from '../../api/types';
import type { HostPort } from '../../runtime/pod-network';

/** Pure: what the pod's host ports are to lead to. On the host's network they are its own already. */
export const wantedHostPorts = (pod: Pod, podIp: string): readonly HostPort[] =>
  ownHostPorts(pod).map((port) => ({ ...port, podIp }));

/** Pure: those of a pod that has no address yet. */
export const ownHostPorts = ({ spec }: Pod): readonly Omit<HostPort, 'podIp'>[] =>
  hasHostPorts(spec)
    ? hostPortsOf(spec).flatMap(({ hostIP, protocol, port, containerPort }) => {
        const known = PROTOCOLS.get(protocol);
        return known === undefined
          ? []
          : [{ protocol: known, hostIp: hostIP, hostPort: port, podPort: containerPort }];
      })
    : [];

/** It has host ports that somebody must lead to it. */
export const hasHostPorts = (spec: Pod['spec']): boolean =>
  spec.hostNetwork !== true && hostPortsOf(spec).length > 0;

const PROTOCOLS: ReadonlyMap<string, HostPort['protocol']> = new Map([
  ['TCP', 'tcp'],
  ['UDP', 'udp'],
  ['SCTP', 'sctp'],
]);
