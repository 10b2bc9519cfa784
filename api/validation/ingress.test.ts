import { INGRESS_CLASSES, INGRESSES } from '../resources';
import { made, refusal } from '../testing';

const SERVICE = { name: 'web', port: { number: 80 } };
const ingress = (spec: object, annotations = {}) => ({
  metadata: { name: 'a', annotations },
  spec,
});
const withPath = (path: object, host = 'a.example') =>
  ingress({
    rules: [
      {
        host,
        http: {
          paths: [{ pathType: 'Prefix', path: '/', backend: { service: SERVICE }, ...path }],
        },
      },
    ],
  });
const PATH = 'spec.rules[0].http.paths[0]';

it.each<[string, object, readonly string[]]>([
  ['a backend alone', ingress({ defaultBackend: { service: SERVICE } }), []],
  ['a rule', withPath({}), []],
  ['a host of many names', withPath({}, '*.a.example'), []],
  ['a path of its own kind', withPath({ pathType: 'ImplementationSpecific', path: '' }), []],
  [
    'nothing',
    ingress({}),
    ['spec: Invalid value: null: either `defaultBackend` or `rules` must be specified'],
  ],
  [
    'a star in the middle',
    withPath({}, 'a.*.example'),
    [
      "spec.rules[0].host: Invalid value: \"a.*.example\": a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
    ],
  ],
  [
    'an address for a host',
    withPath({}, '10.0.0.1'),
    ['spec.rules[0].host: Invalid value: "10.0.0.1": must be a DNS name, not an IP address'],
  ],
  [
    'a relative path, and no port',
    withPath({ pathType: 'Exact', path: 'x', backend: { service: { name: 's', port: {} } } }),
    [
      `${PATH}.path: Invalid value: "x": must be an absolute path`,
      `${PATH}.backend: Required value: port name or number is required`,
    ],
  ],
  [
    'steps in a path',
    withPath({ path: '/a//b/..' }),
    [
      `${PATH}.path: Invalid value: "/a//b/..": must not contain '//'`,
      `${PATH}.path: Invalid value: "/a//b/..": cannot end with '/..'`,
    ],
  ],
  [
    'no type of path',
    withPath({ pathType: undefined }),
    [`${PATH}.pathType: Required value: pathType must be specified`],
  ],
  [
    'a type of path of nobody',
    withPath({ pathType: 'Glob' }),
    [
      `${PATH}.pathType: Unsupported value: "Glob": supported values: "Exact", "ImplementationSpecific", "Prefix"`,
    ],
  ],
  [
    'no backend',
    withPath({ backend: {} }),
    [`${PATH}.backend: Invalid value: "": resource or service backend is required`],
  ],
  [
    'two classes',
    ingress(
      { defaultBackend: { service: SERVICE }, ingressClassName: 'a' },
      { 'kubernetes.io/ingress.class': 'b' },
    ),
    [
      'annotations.kubernetes.io/ingress.class: Invalid value: "b": must match `ingressClassName` when both are specified',
    ],
  ],
])('judges an ingress with %s', (_what, body, expected) => {
  expect(refusal(INGRESSES, body)).toEqual(expected);
});

const ingressClass = (spec: object) => ({ metadata: { name: 'a' }, spec });

it('takes parameters to be of the cluster', () => {
  const body = ingressClass({
    controller: 'example.com/a',
    parameters: { kind: 'Settings', name: 'a' },
  });
  expect(made(INGRESS_CLASSES, body)).toMatchObject({ spec: { parameters: { scope: 'Cluster' } } });
  expect(refusal(INGRESS_CLASSES, body)).toEqual([]);
});

it.each<[object, readonly string[]]>([
  [{}, ['spec.controller: Required value']],
  [
    { controller: 'nginx' },
    [
      'spec.controller: Invalid value: "nginx": must be a domain-prefixed path (such as "acme.io/foo")',
    ],
  ],
  [
    { controller: 'a.example/b', parameters: { kind: 'K', name: 'n', scope: 'Namespace' } },
    ["spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'"],
  ],
])('judges a class of %j', (spec, expected) => {
  expect(refusal(INGRESS_CLASSES, ingressClass(spec))).toEqual(expected);
});

it('keeps the controller of a class', () => {
  const [old, next] = ['a.example/b', 'a.example/c'].map((controller) =>
    ingressClass({ controller }),
  );
  expect(refusal(INGRESS_CLASSES, next ?? {}, old)).toEqual([
    'spec.controller: Invalid value: "a.example/c": field is immutable',
  ]);
});
