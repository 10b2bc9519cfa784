import type { PodSpec } from '../../api/types';
import { testPod } from '../pods/testing';
import { podDnsOf } from './pod-dns';

const NODE = 'nameserver 9.9.9.9\nsearch lan example.org.\noptions rotate ndots:1\n';
const CLUSTER = { servers: ['10.96.0.10'], domain: 'cluster.local' };

const dnsOf = (spec: Partial<PodSpec>, nodeResolvConf = NODE, cluster = CLUSTER) =>
  podDnsOf({ pod: testPod({ spec }), nodeResolvConf, cluster });

const OF_CLUSTER =
  'search default.svc.cluster.local svc.cluster.local cluster.local lan example.org\n' +
  'nameserver 10.96.0.10\noptions ndots:5\n';
const OF_NODE = 'search lan example.org\nnameserver 9.9.9.9\noptions rotate ndots:1\n';

it.each<[Partial<PodSpec>, string]>([
  [{}, OF_CLUSTER],
  [{ dnsPolicy: 'ClusterFirst', hostNetwork: true }, OF_NODE],
  [{ dnsPolicy: 'ClusterFirstWithHostNet', hostNetwork: true }, OF_CLUSTER],
  [{ dnsPolicy: 'ClusterFirstWithHostNet' }, OF_CLUSTER],
  [{ dnsPolicy: 'Default' }, OF_NODE],
  [{ dnsPolicy: 'None', dnsConfig: { nameservers: ['1.1.1.1'] } }, 'nameserver 1.1.1.1\n'],
])('goes by the policy in %j', (spec, text) => {
  expect(dnsOf(spec)).toEqual({ text, events: [] });
});

it('adds what the pod says to what its policy gives, each once', () => {
  const dnsConfig = {
    nameservers: ['10.96.0.10', '1.1.1.1'],
    searches: ['lan', 'my.own'],
    options: [{ name: 'ndots', value: '2' }, { name: 'edns0' }],
  };
  expect(dnsOf({ dnsConfig }).text).toBe(
    'search default.svc.cluster.local svc.cluster.local cluster.local lan example.org my.own\n' +
      'nameserver 10.96.0.10\nnameserver 1.1.1.1\noptions ndots:2 edns0\n',
  );
});

it('leaves out what is more than programs take, and says so', () => {
  const nameservers = ['1.1.1.1', '1.1.1.2', '1.1.1.3', '1.1.1.4'];
  const many = Array.from({ length: 33 }, (_none, i) => `s${i}`);
  const { text, events } = dnsOf({ dnsPolicy: 'None', dnsConfig: { nameservers, searches: many } });
  expect(text).toBe(
    `search ${many.slice(0, 32).join(' ')}\n` +
      'nameserver 1.1.1.1\nnameserver 1.1.1.2\nnameserver 1.1.1.3\n',
  );
  expect(events).toEqual([
    {
      type: 'Warning',
      reason: 'DNSConfigForming',
      message:
        'Nameserver limits were exceeded, some nameservers have been omitted, ' +
        'the applied nameserver line is: 1.1.1.1 1.1.1.2 1.1.1.3',
    },
    {
      type: 'Warning',
      reason: 'DNSConfigForming',
      message:
        'Search Line limits were exceeded, some search paths have been omitted, ' +
        `the applied search line is: ${many.slice(0, 32).join(' ')}`,
    },
  ]);
});

it('keeps the search line to 2048 characters, and no domain that is too long', () => {
  const domains = Array.from(
    { length: 12 },
    (_none, i) => `${String(i).padStart(3, '0')}${'x'.repeat(197)}`,
  );
  const searches = ['y'.repeat(254), ...domains];
  const { text, events } = dnsOf({
    dnsPolicy: 'None',
    dnsConfig: { nameservers: ['::1'], searches },
  });
  const line = text.split('\n')[0] ?? '';
  expect(line).toBe(`search ${domains.slice(0, 10).join(' ')}`);
  expect(events).toHaveLength(1);
});

it("falls back to the node's own where the cluster has no DNS, and says so", () => {
  const none = { servers: [], domain: 'cluster.local' };
  const { text, events } = dnsOf({}, NODE, none);
  expect(text).toBe(OF_NODE);
  expect(events).toMatchObject([
    {
      reason: 'MissingClusterDNS',
      message: expect.stringMatching(
        /^pod: ".+_default\(.+\)". kubelet does not have ClusterDNS IP configured and cannot create Pod using "ClusterFirst" policy. Falling back to "Default" policy.$/,
      ),
    },
  ]);
});

it('reads of several lines the last, of servers all, and no comments', () => {
  const text =
    '# nameserver 9.9.9.9\nsearch a\nsearch b\noptions x\noptions y\nnameserver 1.1.1.1\nnameserver 1.1.1.2';
  expect(dnsOf({ dnsPolicy: 'Default' }, text).text).toBe(
    'search b\nnameserver 1.1.1.1\nnameserver 1.1.1.2\noptions y\n',
  );
});
