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
