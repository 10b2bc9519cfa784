import { parseReference } from '../../runtime/images';
import { endpointsOf } from './endpoints';

const urlsFor = (image: string, registryEndpoints: readonly string[] = ['https://10.0.0.1:6443']) =>
  endpointsOf(
    { registryEndpoints: [...registryEndpoints], insecureRegistries: ['plain.example'] },
    () => ({}),
  )(parseReference(image)).map(({ baseUrl }) => baseUrl);

it('asks the cluster’s registry before an image’s own', () => {
  expect(urlsFor('web:1')).toEqual(['https://10.0.0.1:6443', 'https://registry-1.docker.io']);
  expect(urlsFor('plain.example/web', [])).toEqual(['http://plain.example']);
});

it('asks nobody else for images of the cluster', () => {
  expect(urlsFor('dhow.local/web:1')).toEqual(['https://10.0.0.1:6443']);
  expect(urlsFor('dhow.local.example/web:1')).toHaveLength(2);
  expect(urlsFor('dhow.local/web:1', [])).toEqual(['https://dhow.local']);
});
