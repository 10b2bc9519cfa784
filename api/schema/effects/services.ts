import { all, kept, shown, tests, type Effects } from './effect';
import { OBJECT, STATUS } from './metadata';

const WANTED = tests('node-agent/services/wanted-ports.test.ts');
const PACKETS = tests('test/integration/network-services.test.ts');
const SLICES = tests('control-plane/controllers/endpoint-slice/plan.test.ts');

/** On the real cluster. */
const LEADS = shown(
  'test/e2e/services.test.ts: leads to all pods of a deployment, from every node and from outside, as they come and go',
);
const BY_NAME = shown(
  WANTED('has a port for each of its ports, with the endpoints of that name'),
  PACKETS('goes by protocol, also for datagrams'),
);
const OUTSIDE = shown(
  WANTED('has node ports and the addresses of its load balancer as its type says'),
  PACKETS('other addresses lead in for who may'),
);
const LOCAL = shown(
  WANTED('carries its policies, and how long clients stay'),
  PACKETS('the local policy keeps the client, and leads the cluster everywhere'),
);
const STICKY = shown(
  WANTED('carries its policies, and how long clients stay'),
  PACKETS('keeps a client with its endpoint while that is there'),
);
const BALANCER = 'control-plane/controllers/service-load-balancer/plan.test.ts';
const CHOICE = shown(
  WANTED('are those meant for the node, else for its zone, if all say whom they are for'),
);
const NAMES = tests('node-agent/dns/serving/name-server.test.ts');
const READY = shown(
  WANTED('are the ready ones, else those that serve while they end, else none'),
  NAMES('has no name for a headless Service with nothing ready, unless it tells of all'),
);
const MIRRORED = shown(
  'control-plane/controllers/endpoint-slice-mirroring/plan.test.ts: makes a slice for each family and set of ports',
);

/** Services, and who is behind them. */
const RANGES = shown(
  'control-plane/api-server/services/service-ranges.test.ts: gives addresses of all ranges that are ready',
);

export const SERVICE_EFFECTS: Effects = {
  ServiceCIDR: { ...OBJECT, spec: RANGES, status: STATUS },
  ServiceCIDRSpec: { cidrs: RANGES },
  Service: { ...OBJECT, spec: LEADS, status: STATUS },
  ServiceSpec: {
    ...all(['clusterIP', 'clusterIPs', 'ports', 'selector', 'type'], LEADS),
    ...all(['externalIPs', 'loadBalancerSourceRanges'], OUTSIDE),
    ...all(['externalTrafficPolicy', 'internalTrafficPolicy'], LOCAL),
    ...all(['sessionAffinity', 'sessionAffinityConfig'], STICKY),
    healthCheckNodePort: shown(
      'node-agent/services/service-proxy.test.ts: answers health checks as upstream does',
    ),
    loadBalancerClass: shown(`${BALANCER}: leaves those that have a class to whoever that is`),
    allocateLoadBalancerNodePorts: shown(
      'test/integration/services.test.ts: gives addresses and ports once each, and knows them after a restart',
    ),
    externalName: shown(
      WANTED('is not served when it has no address, is elsewhere, or is for another proxy'),
    ),
    ...all(
      ['ipFamilies', 'ipFamilyPolicy'],
      shown(SLICES('has slices of each family that the service has, and of no other')),
    ),
    loadBalancerIP: kept(
      'deprecated by upstream, where it is for the load balancer to heed or not',
    ),
    publishNotReadyAddresses: shown(
      SLICES('says of each pod whether it is ready, serves, or is on its way out'),
    ),
    trafficDistribution: shown(
      SLICES('hints for %s'),
      WANTED('are those meant for the node, else for its zone, if all say whom they are for'),
    ),
  },
  ServicePort: {
    ...all(['name', 'port', 'protocol', 'targetPort'], BY_NAME),
    appProtocol: kept('told to whoever speaks to the port, by the slices'),
    nodePort: shown(PACKETS('node ports lead to all endpoints, and hide the client')),
  },
  SessionAffinityConfig: { clientIP: STICKY },
  ClientIPConfig: { timeoutSeconds: STICKY },
  Endpoints: { ...OBJECT, subsets: MIRRORED },
  EndpointSubset: all(['addresses', 'notReadyAddresses', 'ports'], MIRRORED),
  EndpointAddress: all(['hostname', 'ip', 'nodeName', 'targetRef'], MIRRORED),
  EndpointSlice: {
    ...OBJECT,
    addressType: shown(
      'control-plane/api-server/kinds/endpoints.test.ts: holds addresses to their type',
    ),
    ...all(['endpoints', 'ports'], BY_NAME),
  },
  EndpointPort: {
    appProtocol: kept('for programs that read it'),
    ...all(['name', 'port', 'protocol'], BY_NAME),
  },
  Endpoint: {
    addresses: shown(PACKETS('leads to each endpoint, from pods, the node and other nodes')),
    conditions: READY,
    deprecatedTopology: kept('what slices of an older version said; v1 has zone and nodeName'),
    hints: CHOICE,
    hostname: shown(NAMES('answers for a headless Service with what is ready behind it')),
    nodeName: shown(WANTED('are chosen among those on the node by themselves')),
    targetRef: kept('whom the endpoint stands for, for who reads it'),
    zone: kept('where the endpoint is; nodes go by the hints that follow from it'),
  },
  EndpointConditions: all(['ready', 'serving', 'terminating'], READY),
  EndpointHints: all(['forNodes', 'forZones'], CHOICE),
  ForNode: { name: CHOICE },
  ForZone: { name: CHOICE },
};
