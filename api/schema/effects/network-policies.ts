import { all, shown, tests, type Effects } from './effect';
import { OBJECT } from './metadata';

const MODEL = tests('api/network-policies/decide.test.ts');

/** What the API says passes is what passes, on the real cluster and in every made-up one. */
const HOLDS = shown(
  'test/e2e/network-policies.test.ts: lets in by labels, namespaces and names of ports, as they change',
  'test/unit/network-policies.test.ts: lets exactly those packets pass on the nodes that the API lets pass',
);
const BLOCKS = shown(MODEL('knows blocks of addresses and what they leave out'));
const PORTS = shown(MODEL('knows ports, ranges of them, and names that each pod gives to its own'));
const DIRECTIONS = shown(
  MODEL('is about what comes in, and about what goes out only where it says so'),
);

export const NETWORK_POLICY_EFFECTS: Effects = {
  NetworkPolicy: { ...OBJECT, spec: HOLDS },
  NetworkPolicySpec: {
    ...all(['podSelector', 'ingress'], HOLDS),
    egress: shown('test/e2e/network-policies.test.ts: lets out only where a policy says so'),
    policyTypes: DIRECTIONS,
  },
  NetworkPolicyIngressRule: { from: HOLDS, ports: PORTS },
  NetworkPolicyEgressRule: { to: HOLDS, ports: PORTS },
  NetworkPolicyPeer: { ...all(['podSelector', 'namespaceSelector'], HOLDS), ipBlock: BLOCKS },
  NetworkPolicyPort: all(['protocol', 'port', 'endPort'], PORTS),
  IPBlock: all(['cidr', 'except'], BLOCKS),
};
