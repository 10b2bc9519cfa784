import { startTestServer, type TestServer } from '../testing';

let server: TestServer;

beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const NAMESPACE = '/api/v1/namespaces/default';
const account = (name: string, imagePullSecrets: readonly object[]) => ({
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name },
  imagePullSecrets,
});
const pullSecretsOf = async (spec: object): Promise<unknown> => {
  const { json } = await server.request('POST', `${NAMESPACE}/pods`, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { generateName: 'p-' },
    spec: { containers: [{ name: 'c', image: 'x' }], ...spec },
  });
  return json.spec.imagePullSecrets;
};

it('gives a pod the pull secrets of its account, when it has none itself', async () => {
  const secrets = [{ name: 'one' }, { name: 'two' }];
  await server.request('POST', `${NAMESPACE}/serviceaccounts`, account('builder', secrets));
  await server.request('POST', `${NAMESPACE}/serviceaccounts`, account('plain', []));
  expect(await pullSecretsOf({ serviceAccountName: 'builder' })).toEqual(secrets);
  expect(await pullSecretsOf({ serviceAccountName: 'plain' })).toBeUndefined();
  const own = [{ name: 'own' }];
  const both = { serviceAccountName: 'builder', imagePullSecrets: own };
  expect(await pullSecretsOf(both)).toEqual(own);
});

it('gives it those of the default account, once there is one', async () => {
  expect(await pullSecretsOf({})).toBeUndefined();
  await server.request('POST', `${NAMESPACE}/serviceaccounts`, account('default', [{ name: 's' }]));
  expect(await pullSecretsOf({})).toEqual([{ name: 's' }]);
});
