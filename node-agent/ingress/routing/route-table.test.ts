import fc from 'fast-check';
import { byAge } from '../../../api/ingresses';
import type { Ingress } from '../../../api/types';
import { targetOf } from './host-and-path';
import { RouteTable } from './route-table';

type Rule = readonly [host: string | undefined, type: string, path: string];

const HOSTS = [undefined, 'a.example', '*.example', '*.b.example', 'c.b.example'];
const PATHS = ['/', '/a', '/a/', '/a/b', '/ab', '/a/b/c', '/a//b'];

/** The backend of each rule says which it is. */
const ingressOf = (name: string, rules: readonly Rule[], hasDefault: boolean): Ingress => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name, namespace: 'ns', creationTimestamp: `2030-01-01T00:00:0${name.length}Z` },
  spec: {
    ...(hasDefault ? { defaultBackend: backend(`${name}-default`) } : {}),
    rules: rules.map(([host, pathType, path], i) => ({
      ...(host === undefined ? {} : { host }),
      http: { paths: [{ path, pathType, backend: backend(`${name}-${i}`) }] },
    })),
  },
});

const backend = (name: string) => ({ service: { name, port: { number: 80 } } });

const routeOf = (ingresses: readonly Ingress[], host: string, url: string) => {
  const target = targetOf(url, host);
  return target && new RouteTable(ingresses).route(target)?.backend?.name;
};

/** What the API's text says, rule by rule. */
const naiveRouteOf = (ingresses: readonly Ingress[], host: string, path: string) => {
  const elements = (text: string) => text.replace(/\/+$/, '').split('/').slice(1);
  const isFor = (rule: string): boolean =>
    rule === '' || rule === host || (rule.startsWith('*.') && host.replace(/^[^.]+/, '*') === rule);
  const hostRank = (rule: string) => (rule === '' ? 0 : rule.startsWith('*') ? 1 : 2);
  const all = [...ingresses]
    .sort(byAge)
    .flatMap(({ spec }) =>
      (spec?.rules ?? []).flatMap(({ host: of = '', http }) =>
        (http?.paths ?? []).map((each) => ({ of, ...each, path: each.path ?? '/' })),
      ),
    );
  const [first] = all
    .filter(({ of }) => isFor(of))
    .filter(({ path: wanted, pathType }) =>
      pathType === 'Exact'
        ? wanted === path
        : elements(wanted).every((element, i) => elements(path)[i] === element),
    )
    .sort(
      (a, b) =>
        hostRank(b.of) - hostRank(a.of) ||
        Number(b.pathType === 'Exact') - Number(a.pathType === 'Exact') ||
        b.path.replace(/\/+$/, '').length - a.path.replace(/\/+$/, '').length,
    );
  if (first !== undefined) return first.backend.service?.name;
  const defaults = [...ingresses].sort(byAge).filter(({ spec }) => spec?.defaultBackend);
  const ranks = ({ spec }: Ingress) =>
    Math.max(
      -1,
      ...(spec?.rules ?? []).map(({ host: of = '' }) => (isFor(of) ? hostRank(of) : -1)),
    );
  const [last] = defaults.sort((a, b) => ranks(b) - ranks(a));
  return last?.spec?.defaultBackend?.service?.name;
};

const rule = fc.tuple(
  fc.constantFrom(...HOSTS),
  fc.constantFrom('Exact', 'Prefix', 'ImplementationSpecific'),
  fc.constantFrom(...PATHS),
);

it('routes as a slow reading of the API does', () => {
  const ingresses = fc.tuple(
    ...['i', 'ii', 'iii'].map((name) =>
      fc
        .tuple(fc.array(rule, { maxLength: 5 }), fc.boolean())
        .map(([rules, hasDefault]) => ingressOf(name, rules, hasDefault)),
    ),
  );
  const host = fc.constantFrom('a.example', 'x.example', 'c.b.example', 'd.b.example', 'other', '');
  const path = fc.constantFrom(...PATHS, '/a/b/', '/a/b/c/d', '/abc', '/x', `/a${'/x'.repeat(99)}`);
  fc.assert(
    fc.property(ingresses, host, path, (all, wantedHost, wantedPath) => {
      expect(routeOf(all, wantedHost, wantedPath)).toBe(naiveRouteOf(all, wantedHost, wantedPath));
    }),
    { numRuns: 2_000 },
  );
});

it("has upstream's examples of paths", () => {
  const matches = (type: string, path: string, url: string) =>
    routeOf([ingressOf('i', [[undefined, type, path]], false)], 'h', url) !== undefined;
  expect(matches('Prefix', '/', '/any')).toBe(true);
  expect(matches('Exact', '/foo', '/foo/')).toBe(false);
  expect(matches('Exact', '/foo/', '/foo')).toBe(false);
  expect(matches('Prefix', '/foo/', '/foo')).toBe(true);
  expect(matches('Prefix', '/foo', '/foo/')).toBe(true);
  expect(matches('Prefix', '/aaa/bb', '/aaa/bbb')).toBe(false);
  expect(matches('Prefix', '/aaa/bbb', '/aaa/bbb/ccc?x=/y')).toBe(true);
  expect(matches('ImplementationSpecific', '/aaa', '/aaa/ccc')).toBe(true);
});

it('says of a backend of another kind that it cannot be served, and of none that there is none', () => {
  const resource = { resource: { apiGroup: 'a.example', kind: 'Bucket', name: 'b' } };
  const ingress = { ...ingressOf('i', [], false), spec: { defaultBackend: resource } };
  const target = targetOf('/', 'h')!;
  expect(new RouteTable([ingress]).route(target)).toEqual({
    ...{ backend: undefined, isSslRedirected: false },
  });
  expect(new RouteTable([]).route(target)).toBeUndefined();
});

it('redirects by the ingress whose rule it is', () => {
  const secure = ingressOf('i', [['a.example', 'Prefix', '/']], false);
  const annotations = { 'ingress.dhow.dev/ssl-redirect': 'true' };
  const table = new RouteTable([
    { ...secure, metadata: { ...secure.metadata, annotations } },
    ingressOf('ii', [['a.example', 'Exact', '/plain']], true),
  ]);
  const isRedirected = (host: string, url: string) =>
    table.route(targetOf(url, host)!)?.isSslRedirected;
  expect(isRedirected('a.example', '/x')).toBe(true);
  expect(isRedirected('a.example', '/plain')).toBe(false);
  expect(isRedirected('b.example', '/x')).toBe(false);
});

it('reads a target as its backend would', () => {
  const forwarded = (url: string) => targetOf(url, 'H.Example.:80')?.forwarded;
  expect(targetOf('/a?b', 'H.Example.:80')).toEqual({
    ...{ host: 'h.example', path: '/a', forwarded: '/a?b' },
  });
  expect(targetOf('http://other:1/x?y', 'h')).toEqual({
    ...{ host: 'other', path: '/x', forwarded: '/x?y' },
  });
  expect(forwarded('/a/../admin/./x?q=/../z')).toBe('/admin/x?q=/../z');
  expect(forwarded('/a/%2e%2E/../..')).toBe('/');
  expect(targetOf('/%61dmin', 'h')).toEqual({
    ...{ host: 'h', path: '/admin', forwarded: '/%61dmin' },
  });
  expect(forwarded('/a%2Fb')).toBe('/a%2Fb');
  for (const url of ['a', '//..', 'http:///x', 'ftp://h/'])
    expect(() => targetOf(url, 'h')).not.toThrow();
  expect(targetOf('a', 'h')).toBeUndefined();
  for (const host of ['a b', 'a@b', 'a/b', 'a:x']) expect(targetOf('/', host)).toBeUndefined();
  expect(targetOf('/', '[fd00::1]:80')?.host).toBe('[fd00::1]');
});
