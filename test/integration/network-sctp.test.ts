import { NetnsLab } from './network/netns';
import { attach, pairIn } from './network/pairs';
import { associate, serveSctp } from './network/sctp';

let lab: NetnsLab;
beforeEach(() => {
  lab = new NetnsLab();
});
afterEach(async () => {
  await lab.dispose();
});

const port = (endpoints: readonly object[], more: object = {}) => ({
  ...{ protocol: 'sctp', port: 2905, clusterAddresses: ['10.96.1.1'], externalAddresses: [] },
  ...{ endpoints, localEndpoints: [], internalPolicy: 'cluster', externalPolicy: 'cluster' },
  ...more,
});

/** Two nodes, a server on the second, and services on the first. */
const setUp = async () => {
  const all = await pairIn(lab);
  const { a, peerB } = all;
  await a.call('syncPeers', [{ ...peerB, isUnreachable: false }]);
  await a.call('configureServices', {
    ...{ serviceCidrs: ['10.96.0.0/16'], podCidrs: ['10.77.0.0/16'] },
    ...{ dnsAddresses: ['10.96.0.10'], nodePortAddresses: [] },
  });
  return all;
};

it('leads associations of SCTP to pods, by a Service’s address and by a node port', async () => {
  const { a, nsA, podA, podB, ipB } = await setUp();
  await using _server = await serveSctp(podB, 36412);
  expect(associate(podA, ipB, 36412)).toBe(`${ipB}:36412`);
  await a.call('applyServices', [
    ['shop/s1ap:', port([{ address: ipB, port: 36412 }], { nodePort: 30905 })],
  ]);
  expect(associate(podA, '10.96.1.1', 2905)).toBe('10.96.1.1:2905');
  expect(associate(nsA, '10.96.1.1', 2905)).toBe('10.96.1.1:2905');
  expect(associate(podA, '192.168.77.1', 30905)).toBe('192.168.77.1:30905');
});

it('refuses them where nobody is behind a Service, and keeps them apart from TCP', async () => {
  const { a, podA, podB, ipB } = await setUp();
  await using _server = await serveSctp(podB, 36412);
  await a.call('applyServices', [['shop/s1ap:', port([])]]);
  expect(associate(podA, '10.96.1.1', 2905)).toBe('refused');
  const tcp = port([{ address: ipB, port: 36412 }], { protocol: 'tcp' });
  await a.call('applyServices', [['shop/s1ap:', tcp]]);
  expect(associate(podA, '10.96.1.1', 2905)).toBe('refused');
});

it('leads host ports of SCTP', async () => {
  const { a, nsB, podA } = await setUp();
  await using _server = await serveSctp(podA, 36412);
  const { ip } = await attach(a, 'pa', podA);
  await a.call('syncHostPorts', [
    { protocol: 'sctp', hostIp: '0.0.0.0', hostPort: 2905, podIp: ip, podPort: 36412 },
  ]);
  expect(associate(nsB, '192.168.77.1', 2905)).toBe('192.168.77.1:2905');
});

it('holds back by policies what opens an association', async () => {
  const { b, podA, podB, ipB } = await setUp();
  await using _server = await serveSctp(podB, 36412);
  const allowing = (protocol: string) => ({
    sandboxes: { pb: { ingress: ['p'] } },
    policies: {
      p: { ingress: [{ ports: [{ protocol, first: 36412, last: 36412 }] }], egress: [] },
    },
    ...{ addressSets: {}, portSets: {}, guardedAddresses: [] },
  });
  await b.call('syncPolicies', allowing('tcp'));
  expect(associate(podA, ipB, 36412)).toBe('silence');
  await b.call('syncPolicies', allowing('sctp'));
  expect(associate(podA, ipB, 36412)).toBe(`${ipB}:36412`);
});
