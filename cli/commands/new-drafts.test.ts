import { ingressDraft, newServiceDraft } from './network-drafts';
import { budgetDraft, quotaDraft } from './policy-drafts';
import { tokenRequest } from './create-more';

/* What kubectl 1.34 prints for the same words with --dry-run=client. */

describe('a pod disruption budget', () => {
  it.each([
    [
      { selector: 'app=web', minAvailable: '1' },
      { minAvailable: 1, selector: { matchLabels: { app: 'web' } } },
    ],
    [
      { selector: 'a in (c,b),!d', maxUnavailable: '1%' },
      {
        maxUnavailable: '1%',
        selector: {
          matchExpressions: [
            { key: 'a', operator: 'In', values: ['b', 'c'] },
            { key: 'd', operator: 'DoesNotExist' },
          ],
        },
      },
    ],
  ])('of %j', (wishes, spec) => {
    expect(budgetDraft('web', wishes)).toEqual({
      ...{ apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: { name: 'web' }, spec },
      status: { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 },
    });
  });

  it.each([
    [{ minAvailable: '1' }, 'a selector must be specified'],
    [{ selector: 'a=b' }, 'one of min-available or max-unavailable must be specified'],
    [
      { selector: 'a=b', minAvailable: '1', maxUnavailable: '1' },
      'min-available and max-unavailable cannot be both specified',
    ],
    [{ selector: 'a=b', minAvailable: 'x' }, 'invalid format specified for min-available'],
    [{ selector: 'a!=b', minAvailable: '1' }, '"!=" is not a valid label selector operator'],
  ])('refuses %j', (wishes, message) => {
    expect(() => budgetDraft('web', wishes)).toThrow(message);
  });
});

describe('a quota', () => {
  it('has its amounts as the API writes them', () => {
    const hard = ['pods=2', 'cpu=1.5', 'memory=1024Mi'];
    expect(quotaDraft('q', { hard, scopes: ['BestEffort'] })).toEqual({
      ...{ apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'q' }, status: {} },
      spec: { hard: { cpu: '1500m', memory: '1Gi', pods: '2' }, scopes: ['BestEffort'] },
    });
    expect(quotaDraft('q', {})).toMatchObject({ spec: {}, status: {} });
  });

  it.each([
    ['pods', 'Invalid argument syntax pods, expected <resource>=<value>'],
    ['pods=x', 'quantities must match the regular expression'],
  ])('refuses %s', (text, message) => {
    expect(() => quotaDraft('q', { hard: [text] })).toThrow(message);
  });
});

describe('a service', () => {
  const selector = { app: 's' };

  it.each([
    [
      { type: 'ClusterIP', tcp: ['80:8080', '443'] },
      {
        ports: [
          { name: '80-8080', port: 80, protocol: 'TCP', targetPort: 8080 },
          { name: '443', port: 443, protocol: 'TCP', targetPort: 443 },
        ],
        ...{ selector, type: 'ClusterIP' },
      },
    ],
    [
      { type: 'ClusterIP', clusterIp: 'None' },
      { clusterIP: 'None', selector, type: 'ClusterIP' },
    ],
    [
      { type: 'NodePort', tcp: ['80:http'], nodePort: 30080 },
      {
        ports: [
          { name: '80-http', nodePort: 30080, port: 80, protocol: 'TCP', targetPort: 'http' },
        ],
        ...{ selector, type: 'NodePort' },
      },
    ],
    [
      { type: 'ExternalName', externalName: 'bar.com' },
      { externalName: 'bar.com', selector, type: 'ExternalName' },
    ],
  ] as const)('of %j', (wishes, spec) => {
    expect(newServiceDraft('s', wishes)).toEqual({
      ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 's', labels: selector }, spec },
      status: { loadBalancer: {} },
    });
  });

  it.each([
    [{ type: 'LoadBalancer' }, 'at least one tcp port specifier must be provided'],
    [{ type: 'ClusterIP', tcp: ['x'] }, 'strconv.ParseUint: parsing "x": invalid syntax'],
    [{ type: 'ClusterIP', tcp: ['70000'] }, 'parsing "70000": value out of range'],
    [{ type: 'ExternalName' }, 'required flag(s) "external-name" not set'],
  ] as const)('refuses %j', (wishes, message) => {
    expect(() => newServiceDraft('s', wishes)).toThrow(message);
  });
});

describe('an ingress', () => {
  const to = (name: string, port: object) => ({ service: { name, port } });

  it.each([
    [
      { rule: ['foo.com/bar=svc1:8080,tls=my-cert'] },
      {
        rules: [
          {
            host: 'foo.com',
            http: {
              paths: [{ path: '/bar', pathType: 'Exact', backend: to('svc1', { number: 8080 }) }],
            },
          },
        ],
        tls: [{ hosts: ['foo.com'], secretName: 'my-cert' }],
      },
    ],
    [
      { class: 'c', rule: ['foo.com/=svc:https,tls', 'foo.com/path/sub*=other:8080', '/x=y:z'] },
      {
        ingressClassName: 'c',
        rules: [
          {
            host: 'foo.com',
            http: {
              paths: [
                { path: '/', pathType: 'Exact', backend: to('svc', { name: 'https' }) },
                { path: '/path/sub', pathType: 'Prefix', backend: to('other', { number: 8080 }) },
              ],
            },
          },
          {
            http: { paths: [{ path: '/x', pathType: 'Exact', backend: to('y', { name: 'z' }) }] },
          },
        ],
        tls: [{ hosts: ['foo.com'] }],
      },
    ],
    [{ defaultBackend: 'svc:80' }, { defaultBackend: to('svc', { number: 80 }) }],
  ])('of %j', (wishes, spec) => {
    expect(ingressDraft('x', wishes)).toEqual({
      ...{ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata: { name: 'x' }, spec },
      status: { loadBalancer: {} },
    });
  });

  it.each([
    [{}, 'every ingress has to either specify a default-backend'],
    [{ rule: ['foo'] }, 'rule foo is invalid and should be in format'],
    [{ rule: ['foo.com/a=b'] }, 'rule foo.com/a=b is invalid'],
    [{ defaultBackend: 'foo' }, 'default-backend should be in format servicename:serviceport'],
    [
      { rule: ['foo.com/a=b:80'], annotation: ['foo'] },
      'annotation foo is invalid and should be in format key=[value]',
    ],
  ])('refuses %j', (wishes, message) => {
    expect(() => ingressDraft('x', wishes)).toThrow(message);
  });
});

describe('a token', () => {
  it('is asked for as its user wishes', () => {
    const bound = { boundObjectKind: 'Pod', boundObjectName: 'web' };
    expect(tokenRequest({ duration: '10m', audience: ['a'], ...bound })).toMatchObject({
      spec: {
        ...{ audiences: ['a'], expirationSeconds: 600 },
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'web' },
      },
    });
    expect(tokenRequest({})).toMatchObject({ kind: 'TokenRequest', spec: {} });
  });

  it.each([
    [{ duration: '-1s' }, '--duration must be greater than or equal to 0'],
    [{ duration: '10ms' }, 'cannot be expressed in units less than seconds'],
    [{ boundObjectKind: 'Job' }, 'supported --bound-object-kind values are Node, Pod, Secret'],
    [{ boundObjectName: 'x' }, 'can only be set if --bound-object-kind is provided'],
  ])('refuses %j', (options, message) => {
    expect(() => tokenRequest(options)).toThrow(message);
  });
});
