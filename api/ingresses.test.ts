import { ingressWarnings, isSslRedirected } from './ingresses';

it.each([
  ['true', true, []],
  ['false', false, []],
  [
    'yes',
    false,
    ['metadata.annotations[ingress.dhow.dev/ssl-redirect]: neither "true" nor "false"'],
  ],
])('reads a wish for TLS of %j as %j', (value, isWished, warnings) => {
  const annotations = { 'ingress.dhow.dev/ssl-redirect': value };
  const ingress = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'web', annotations },
  };
  expect(isSslRedirected(ingress)).toBe(isWished);
  expect(ingressWarnings(ingress)).toEqual(
    warnings.map((text) => expect.stringContaining(text) as string),
  );
});

it('warns of a class by annotation once, when the ingress is new', () => {
  const by = (spec: object) => ({
    ...{ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', spec },
    metadata: { name: 'web', annotations: { 'kubernetes.io/ingress.class': 'a' } },
  });
  expect(ingressWarnings(by({}))).toEqual([
    `annotation "kubernetes.io/ingress.class" is deprecated, please use 'spec.ingressClassName' instead`,
  ]);
  expect(ingressWarnings(by({}), by({}))).toEqual([]);
  expect(ingressWarnings(by({ ingressClassName: 'a' }))).toEqual([]);
});
