import { type Attachment } from '../../../runtime/pod-network';
import { inNetns, type NetnsLab, type NetworkNode } from './netns';

/** `ip`: the first of its addresses. */
export const attach = async (node: NetworkNode, sandboxId: string, netnsPath: string) => {
  const attachment = await node.call<Attachment>('attach', { sandboxId, netnsPath });
  return { ...attachment, ip: attachment.ips[0] ?? '' };
};

/** Two nodes on one wire, each with one attached pod. */
export const pairIn = async (lab: NetnsLab) => {
  const [nsA, nsB] = [lab.netns('a'), lab.netns('b')];
  lab.wire(nsA, '192.168.77.1/24', nsB, '192.168.77.2/24');
  const peerA = { nodeName: 'a', addresses: ['192.168.77.1'], podCidrs: ['10.77.1.0/24'] };
  const peerB = { nodeName: 'b', addresses: ['192.168.77.2'], podCidrs: ['10.77.2.0/24'] };
  const start = (netns: string, { addresses, podCidrs }: typeof peerA) =>
    lab.node(netns, { podCidrs, nodeAddresses: addresses, interfacePrefix: 'nwt' });
  const [a, b] = [await start(nsA, peerA), await start(nsB, peerB)];
  const [podA, podB] = [lab.netns('pa'), lab.netns('pb')];
  const { ip: ipA } = await attach(a, 'pa', podA);
  const { ip: ipB } = await attach(b, 'pb', podB);
  await b.call('syncPeers', [{ ...peerA, isUnreachable: false }]);
  return { nsA, nsB, peerA, peerB, a, b, podA, podB, ipA, ipB };
};

/** Two nodes with a router between them, each with one attached pod. */
export const distantPairIn = async (lab: NetnsLab) => {
  const [nsA, router, nsB] = [lab.netns('a'), lab.netns('r'), lab.netns('b')];
  lab.wire(nsA, '192.168.77.1/24', router, '192.168.77.254/24');
  lab.wire(nsB, '192.168.78.1/24', router, '192.168.78.254/24');
  inNetns(router, 'sysctl', '-qw', 'net.ipv4.ip_forward=1');
  inNetns(nsA, 'ip', 'route', 'add', 'default', 'via', '192.168.77.254');
  inNetns(nsB, 'ip', 'route', 'add', 'default', 'via', '192.168.78.254');
  const peerA = { nodeName: 'a', addresses: ['192.168.77.1'], podCidrs: ['10.77.1.0/24'] };
  const peerB = { nodeName: 'b', addresses: ['192.168.78.1'], podCidrs: ['10.77.2.0/24'] };
  const a = await lab.node(nsA, { podCidrs: peerA.podCidrs, interfacePrefix: 'nwt' });
  const b = await lab.node(nsB, { podCidrs: peerB.podCidrs, interfacePrefix: 'nwt' });
  await a.call('syncPeers', [{ ...peerB, isUnreachable: false }]);
  await b.call('syncPeers', [{ ...peerA, isUnreachable: false }]);
  const [podA, podB] = [lab.netns('pa'), lab.netns('pb')];
  const { ip: ipA } = await attach(a, 'pa', podA);
  const { ip: ipB } = await attach(b, 'pb', podB);
  return { nsA, router, nsB, peerA, peerB, a, b, podA, podB, ipA, ipB };
};

/** The interface that `wire` has made. */
export const wireOf = (netns: string): string =>
  /^(nw[0-9a-f]{8})@/m.exec(inNetns(netns, 'ip', '-br', 'link'))?.[1] ?? '';
