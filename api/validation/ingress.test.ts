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

const SUBDOMAIN =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', " +
  "and must start and end with an alphanumeric character (e.g. 'example.com', regex used for " +
  "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must " +
  "start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for " +
  "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const NO_ADDRESS = 'must be a DNS name, not an IP address';
const HOST = 'spec.rules[0].host';

it.each<[string, readonly string[]]>([
  ['A.example', [`Invalid value: "A.example": ${SUBDOMAIN}`]],
  ['a..example', [`Invalid value: "a..example": ${SUBDOMAIN}`]],
  ['a.example:80', [`Invalid value: "a.example:80": ${SUBDOMAIN}`]],
  [
    `${'a.'.repeat(127)}a`,
    [`Invalid value: "${'a.'.repeat(127)}a": must be no more than 253 characters`],
  ],
  // As addresses have always been read here: with zeros in front, and without a zone.
  ['010.0.0.01', [`Invalid value: "010.0.0.01": ${NO_ADDRESS}`]],
  ['10.0.0.256', []],
  ['10.0.0', []],
  [
    'fd00::1',
    [`Invalid value: "fd00::1": ${NO_ADDRESS}`, `Invalid value: "fd00::1": ${SUBDOMAIN}`],
  ],
  ['fe80::1%e', [`Invalid value: "fe80::1%e": ${SUBDOMAIN}`]],
])('judges the host %s', (host, expected) => {
  expect(refusal(INGRESSES, withPath({}, host))).toEqual(
    expected.map((each) => `${HOST}: ${each}`),
  );
});

it.each<[string, string, readonly string[]]>([
  ['Exact', '', ['must be an absolute path']],
  ['Prefix', '', ['must be an absolute path']],
  ['ImplementationSpecific', 'x', ['must be an absolute path']],
  ['ImplementationSpecific', '/a//b/../%2f', []],
  ['Exact', '/./a/../b', ["must not contain '/./'", "must not contain '/../'"]],
  ['Prefix', '/%2f%2F', ["must not contain '%2f'", "must not contain '%2F'"]],
  ['Exact', '/a/.', ["cannot end with '/.'"]],
  [
    'Prefix',
    'a//..',
    ['must be an absolute path', "must not contain '//'", "cannot end with '/..'"],
  ],
])('judges a path of type %s: %s', (pathType, path, expected) => {
  expect(refusal(INGRESSES, withPath({ pathType, path }))).toEqual(
    expected.map((each) => `${PATH}.path: Invalid value: "${path}": ${each}`),
  );
});

it.each<[object, readonly string[]]>([
  [{ service: { name: '1a', port: { name: 'http' } } }, []],
  [
    { service: { name: '', port: {} } },
    ['.service.name: Required value', ': Required value: port name or number is required'],
  ],
  [
    { service: { name: 'a.b', port: { number: 1 } } },
    ['.service.name: Invalid value: "a.b": must not contain dots'],
  ],
  [
    { service: { name: 'A', port: { number: 70_000 } } },
    [
      `.service.name: Invalid value: "A": ${LABEL}`,
      '.service.port.number: Invalid value: 70000: must be between 1 and 65535, inclusive',
    ],
  ],
  [
    { service: { name: 'a', port: { number: -1 } } },
    ['.service.port.number: Invalid value: -1: must be between 1 and 65535, inclusive'],
  ],
  [
    { service: { name: 'a', port: { name: 'b', number: 80 } } },
    [': Invalid value: "": cannot set both port name & port number'],
  ],
  [
    { service: { name: 'a', port: { name: '-A--1' } } },
    [
      '.service.port.name: Invalid value: "-A--1": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)',
      '.service.port.name: Invalid value: "-A--1": must contain at least one letter (a-z)',
      '.service.port.name: Invalid value: "-A--1": must not contain consecutive hyphens',
      '.service.port.name: Invalid value: "-A--1": must not begin or end with a hyphen',
    ],
  ],
  [
    { service: SERVICE, resource: { kind: 'Bucket', name: 'a' } },
    [': Invalid value: "": cannot set both resource and service backends'],
  ],
  [
    { resource: { apiGroup: 'A', kind: '', name: 'a/b%' } },
    [
      `.resource.apiGroup: Invalid value: "A": ${SUBDOMAIN}`,
      '.resource.kind: Required value',
      `.resource.name: Invalid value: "a/b%": may not contain '/'`,
      `.resource.name: Invalid value: "a/b%": may not contain '%'`,
    ],
  ],
])('judges the backend %j', (backend, expected) => {
  expect(refusal(INGRESSES, withPath({ backend }))).toEqual(
    expected.map((each) => `${PATH}.backend${each}`),
  );
  expect(refusal(INGRESSES, ingress({ defaultBackend: backend }))).toEqual(
    expected.map((each) => `spec.defaultBackend${each}`),
  );
});

it('judges rules before secrets, and these before the class', () => {
  const body = ingress({
    rules: [{ http: { paths: [] } }],
    tls: [{ hosts: ['*', ''], secretName: 'A' }, { hosts: ['*.a.example'] }],
    ingressClassName: '',
  });
  expect(refusal(INGRESSES, body).map((each) => each.replace(/: a .*/, ''))).toEqual([
    'spec.rules[0].http.paths: Required value',
    'spec.tls[0].hosts[0]: Invalid value: "*"',
    'spec.tls[0].hosts[1]: Invalid value: ""',
    'spec.tls[0].secretName: Invalid value: "A"',
    'spec.ingressClassName: Invalid value: ""',
  ]);
});

it('leaves it to an update whether the annotation names another class', () => {
  const body = ingress(
    { defaultBackend: { service: SERVICE }, ingressClassName: 'a' },
    { 'kubernetes.io/ingress.class': 'b' },
  );
  expect(refusal(INGRESSES, body, body)).toEqual([]);
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
    { controller: 'A/b c' },
    [
      `spec.controller: Invalid value: "A": ${SUBDOMAIN}`,
      `spec.controller: Invalid value: "b c": Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')`,
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
