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

describe('mounts the token of its account into a pod', () => {
  const MOUNT_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';
  const podWith = async (spec: object) => {
    const { json } = await server.request('POST', `${NAMESPACE}/pods`, {
      ...{ apiVersion: 'v1', kind: 'Pod', metadata: { generateName: 'p-' } },
      spec: { containers: [{ name: 'c', image: 'x' }], ...spec },
    });
    return json.spec;
  };

  it('where clients look for it', async () => {
    const init = [{ name: 'i', image: 'x' }];
    const { volumes, containers, initContainers } = await podWith({ initContainers: init });
    const { name } = volumes[0];
    expect(name).toMatch(/^kube-api-access-[a-z0-9]{5}$/);
    expect(volumes).toEqual([
      {
        name,
        projected: {
          defaultMode: 420,
          sources: [
            { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
            { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
            {
              downwardAPI: {
                items: [
                  {
                    path: 'namespace',
                    fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' },
                  },
                ],
              },
            },
          ],
        },
      },
    ]);
    for (const { volumeMounts } of [...containers, ...initContainers])
      expect(volumeMounts).toEqual([{ name, readOnly: true, mountPath: MOUNT_PATH }]);
  });

  it('unless pod or account say no, the pod last', async () => {
    await server.request('POST', `${NAMESPACE}/serviceaccounts`, {
      ...account('shy', []),
      automountServiceAccountToken: false,
    });
    expect((await podWith({ automountServiceAccountToken: false })).volumes).toBeUndefined();
    const shy = { serviceAccountName: 'shy' };
    expect((await podWith(shy)).volumes).toBeUndefined();
    const bold = await podWith({ ...shy, automountServiceAccountToken: true });
    expect(bold.volumes).toHaveLength(1);
  });

  it('and leaves what is mounted there already', async () => {
    const volumeMounts = [{ name: 'own', mountPath: MOUNT_PATH }];
    const containers = [{ name: 'c', image: 'x', volumeMounts }];
    const { volumes } = await podWith({ containers, volumes: [{ name: 'own', emptyDir: {} }] });
    expect(volumes.map(({ name }: { name: string }) => name)).toEqual(['own']);
  });
});
