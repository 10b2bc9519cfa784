import { NETWORK_POLICIES } from '../resources';
import { made, refusal } from '../testing';

const policy = (spec: object) => ({ metadata: { name: 'a' }, spec: { podSelector: {}, ...spec } });
const from = (peer: object) => policy({ ingress: [{ from: [peer] }] });
const onPort = (port: object) => policy({ ingress: [{ ports: [port] }] });

it('is about what it says something of', () => {
  expect(made(NETWORK_POLICIES, policy({ egress: [{ ports: [{ port: 53 }] }] }))).toMatchObject({
    spec: { policyTypes: ['Ingress', 'Egress'], egress: [{ ports: [{ protocol: 'TCP' }] }] },
  });
});

const PEER = 'spec.ingress[0].from[0]';
const PORT = 'spec.ingress[0].ports[0]';

it.each<[object, readonly string[]]>([
  [policy({}), []],
  [from({ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }), []],
  [from({}), [`${PEER}: Required value: must specify a peer`]],
  [
    from({ podSelector: {}, ipBlock: { cidr: '::/0' } }),
    [`${PEER}: Forbidden: may not specify both ipBlock and another peer`],
  ],
  [
    from({ ipBlock: { cidr: '10.0.0.0/33' } }),
    [
      `${PEER}.ipBlock.cidr: Invalid value: "10.0.0.0/33": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)`,
    ],
  ],
  [
    from({ ipBlock: { cidr: '10.0.0.0/8', except: ['11.0.0.0/16'] } }),
    [
      `${PEER}.ipBlock.except[0]: Invalid value: "11.0.0.0/16": must be a strict subset of \`cidr\``,
    ],
  ],
  [
    onPort({ port: 80, endPort: 70 }),
    [`${PORT}.endPort: Invalid value: 70: must be greater than or equal to \`port\``],
  ],
  [
    onPort({ protocol: 'ICMP' }),
    [`${PORT}.protocol: Unsupported value: "ICMP": supported values: "TCP", "UDP", "SCTP"`],
  ],
  [
    policy({ policyTypes: ['Both'] }),
    ['spec.policyTypes[0]: Unsupported value: "Both": supported values: "Ingress", "Egress"'],
  ],
])('judges %j', (body, expected) => {
  expect(refusal(NETWORK_POLICIES, body)).toEqual(expected);
});
