/** Where connections may be led. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** An address from outside the cluster that leads to a service. */
export interface ExternalAddress {
  readonly address: string;
  /** Ranges that may connect; absent: everybody. */
  readonly sources?: readonly string[];
}

/**
 * One port of a service, as this node is to serve it. Nothing here is believed: what is no IPv4 address
 * or no port is passed over.
 */
export interface ServicePort {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly port: number;
  readonly clusterAddresses: readonly string[];
  readonly externalAddresses: readonly ExternalAddress[];
  /** On the node's own addresses. */
  readonly nodePort?: number;
  /** For all of the cluster. None: whoever connects is refused. */
  readonly endpoints: readonly Endpoint[];
  /** Those on this node; each may be among `endpoints` or not. */
  readonly localEndpoints: readonly Endpoint[];
  /** `local`: what comes to a cluster address is led to local endpoints, or refused. */
  readonly internalPolicy: 'cluster' | 'local';
  /**
   * `local`: what comes from outside the cluster is led to local endpoints with the client's address
   * kept, or dropped. What comes from pods and this node goes to any endpoint either way, as does what
   * comes from other nodes where there is no local one.
   */
  readonly externalPolicy: 'cluster' | 'local';
  /** A client stays with its endpoint until it has not connected for so long. */
  readonly affinitySeconds?: number;
}

/** What all services of a node have in common. */
export interface ServiceNetworkFacts {
  readonly serviceCidrs: readonly string[];
  readonly podCidrs: readonly string[];
  /** Local to the node on the anchor link: the resolver listens there. */
  readonly dnsAddresses: readonly string[];
  /** Ranges of the node's addresses that have node ports; empty: all but loopback. */
  readonly nodePortAddresses: readonly string[];
}

/** The services of one node's network namespace. Calls take turns; each may be made again and again. */
export interface ServiceNetwork {
  /** Until the first call nothing is touched: what an earlier process has set up goes on. */
  configure(facts: ServiceNetworkFacts): Promise<void>;
  /**
   * By name; undefined: gone. The first call names all there are: what the kernel has is compared with it
   * and brought to it, and nothing that is right is touched. Returns why all had to be made anew, when
   * somebody else had changed it. @throws NetworkError when there is no nft.
   */
  apply(changes: ReadonlyMap<string, ServicePort | undefined>): Promise<string | undefined>;
  /** Puts back what others have taken away, and returns what that was. Call it every second or so. */
  check(): Promise<string | undefined>;
}
