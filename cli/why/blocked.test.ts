import type { ConnectionAnswer, ConnectionAttempt } from '../../api/network-policies/review';
import { renderBlocked } from './blocked';

const ENDS = { from: 'pod/client', to: 'svc/web:80' };
const STYLE = { color: false, width: 80 };
const OPEN = { isAllowed: true, because: 'NotIsolated' } as const;

const attempt = (more: Partial<ConnectionAttempt>): ConnectionAttempt => ({
  ...{ pod: 'shop/web-1', address: '10.42.1.3', port: 8080, protocol: 'TCP', reachable: true },
  ...{ egress: OPEN, ingress: OPEN },
  ...more,
});

const text = (answer: Partial<ConnectionAnswer>) =>
  renderBlocked(
    ENDS,
    { reachable: false, attempts: [], problems: [], notes: [], ...answer },
    STYLE,
  );

it('says who lets a connection through', () => {
  const ingress = { isAllowed: true, because: 'Rule', policy: 'shop/web', rule: 1 } as const;
  expect(text({ reachable: true, attempts: [attempt({ ingress })] })).toBe(
    `pod/client -> svc/web:80: reachable
  10.42.1.3:8080/TCP (pod shop/web-1): reachable
    out: allowed, no policy isolates the source
    in: allowed by rule 2 of policy shop/web
`,
  );
});

it('says what each policy lacks', () => {
  const policies = [
    { policy: 'shop/deny', rules: [] },
    {
      policy: 'shop/web',
      rules: [
        { peer: true, port: false },
        { peer: false, port: false },
      ],
    },
    { policy: 'shop/(hidden)', rules: [] },
  ];
  const ingress = { isAllowed: false, because: 'NoRule', policies } as const;
  const blocked = attempt({ reachable: false, ingress });
  expect(text({ attempts: [blocked, attempt({})], notes: ['pod shop/web-1 is not ready'] })).toBe(
    `pod/client -> svc/web:80: only 1 of 2 reachable
  10.42.1.3:8080/TCP (pod shop/web-1): blocked
    out: allowed, no policy isolates the source
    in: denied, no rule of 3 policies that isolate the target allows it
      shop/deny: has no rule, so allows nothing
      shop/web rule 1: does not match the port
      shop/web rule 2: does not match the other end nor the port
      shop/(hidden): you may not list the policies there
  10.42.1.3:8080/TCP (pod shop/web-1): reachable
    out: allowed, no policy isolates the source
    in: allowed, no policy isolates the target
  note: pod shop/web-1 is not ready
`,
  );
});

it('says what else is in the way', () => {
  expect(text({ problems: ['service shop/web has no ready endpoint'] })).toBe(
    'pod/client -> svc/web:80: blocked\n  service shop/web has no ready endpoint\n',
  );
});
