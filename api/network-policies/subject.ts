import { isRestartableInit, isTerminal } from '../pods';
import type { Labels } from '../selectors';
import type { Pod } from '../types';

export type Protocol = 'TCP' | 'UDP' | 'SCTP';

/** What policies see of a pod, or of whatever else stands in the network under a namespace and labels. */
export interface PolicySubject {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Labels;
  /** Empty until it has one. */
  readonly addresses: readonly string[];
  readonly nodeName: string;
  readonly namedPorts: readonly NamedPort[];
  /**
   * Whether policies may select it, as what they isolate or as a peer. A pod on its node's network is
   * not told apart from the node: only its address counts.
   */
  readonly isSelectable: boolean;
  /** It is no pod: it may be a peer, and nothing isolates it. */
  readonly isService?: boolean;
}

export interface NamedPort {
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
}

/** A pod that has ended has no address any more: another may have it by now. */
export const subjectOf = (pod: Pod): PolicySubject => {
  const { metadata, spec, status } = pod;
  const { podIPs = [], podIP = '' } = status;
  const known = podIPs.length > 0 ? podIPs.map(({ ip = '' }) => ip) : [podIP];
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    labels: metadata.labels ?? {},
    addresses: isTerminal(pod) ? [] : known.filter((ip) => ip !== ''),
    nodeName: spec.nodeName ?? '',
    namedPorts: namedPortsOf(spec),
    isSelectable: spec.hostNetwork !== true,
  };
};

/** Of the containers that run beside each other. The first of a name has it, as upstream's FindPort. */
export const portNamed = (
  { namedPorts }: PolicySubject,
  name: string,
  protocol: Protocol,
): number | undefined =>
  namedPorts.find((port) => port.name === name && port.protocol === protocol)?.port;

const namedPortsOf = ({ containers, initContainers = [] }: Pod['spec']): readonly NamedPort[] => {
  const sidecars = initContainers.filter(isRestartableInit);
  return [...containers, ...sidecars].flatMap(({ ports = [] }) =>
    ports.flatMap(({ name = '', protocol = 'TCP', containerPort }) =>
      name === '' ? [] : [{ name, protocol: protocol as Protocol, port: containerPort }],
    ),
  );
};

/** What stands for the resolver of the cluster, which runs on every node and is no pod. */
export const resolverSubject = (addresses: readonly string[]): PolicySubject => ({
  namespace: 'kube-system',
  name: 'kube-dns',
  labels: { 'k8s-app': 'kube-dns' },
  addresses,
  nodeName: '',
  namedPorts: [
    { name: 'dns', protocol: 'UDP', port: 53 },
    { name: 'dns-tcp', protocol: 'TCP', port: 53 },
  ],
  isSelectable: true,
  isService: true,
});
