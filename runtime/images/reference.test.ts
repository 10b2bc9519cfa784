import { ImageError } from '../image-service';
import { normalizeReference, parseReference } from './reference';

const DIGEST = `sha256:${'a'.repeat(64)}`;

it.each([
  ['web', 'docker.io/library/web:latest'],
  ['web:1.2', 'docker.io/library/web:1.2'],
  ['me/web', 'docker.io/me/web:latest'],
  ['index.docker.io/web', 'docker.io/library/web:latest'],
  ['localhost/web', 'localhost/web:latest'],
  ['localhost:5000/a/b:x', 'localhost:5000/a/b:x'],
  ['registry.example/a--b/c__d.e', 'registry.example/a--b/c__d.e:latest'],
  ['[::1]:5000/web', '[::1]:5000/web:latest'],
  [`web@${DIGEST}`, `docker.io/library/web@${DIGEST}`],
  [`web:1@${DIGEST}`, `docker.io/library/web:1@${DIGEST}`],
  ['Host/web', 'Host/web:latest'],
])('normalises %s', (name, expected) => {
  expect(normalizeReference(name)).toBe(expected);
});

it.each([
  '',
  ':',
  'web:',
  'web@',
  'web@sha256:abc',
  'web@md5:d41d8cd98f00b204e9800998ecf8427e',
  '/web',
  'a//b',
  'a/',
  '../etc',
  'a/../b',
  'web:t ag',
  'web:.x',
  'a_-b',
  'web\n',
  'https://registry.example/web',
  `web:${'t'.repeat(129)}`,
  'n'.repeat(256),
  'x'.repeat(100_000),
  'a'.repeat(64),
])('refuses %j', (name) => {
  expect(() => parseReference(name)).toThrow(ImageError);
});

it('says what is wrong as Kubernetes does', () => {
  expect(() => parseReference('WEB:1')).toThrow(
    `Failed to apply default image tag "WEB:1": couldn't parse image name "WEB:1": invalid reference format: repository name (library/WEB) must be lowercase`,
  );
});
