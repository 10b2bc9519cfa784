import type { RestClient } from '../client/rest-client';
import { Discovery } from './discovery';

const resource = (plural: string, kind: string, shortNames: string[] = []) => ({
  ...{ resource: plural, responseKind: { kind }, scope: 'Namespaced', shortNames },
  ...{ singularResource: kind.toLowerCase(), categories: ['all'], verbs: ['get'] },
});

const GROUPS = [
  {
    metadata: { name: 'example.com' },
    versions: [
      { version: 'v1', resources: [resource('both', 'Both', ['bo']), resource('news', 'New')] },
      {
        version: 'v1alpha1',
        resources: [resource('both', 'Both', ['bo']), resource('olds', 'Old')],
      },
    ],
  },
];

const discovery = () => {
  const json = async ({ path }: { path: string }) => ({ items: path === '/apis' ? GROUPS : [] });
  return new Discovery({ json } as unknown as RestClient, new AbortController().signal);
};

it.each([
  ['both', 'v1'],
  ['bo', 'v1'],
  ['Both.example.com', 'v1'],
  ['both.v1.example.com', 'v1'],
  ['Both.v1alpha1.example.com', 'v1alpha1'],
  ['bo.v1alpha1.example.com', 'v1alpha1'],
  ['olds', 'v1alpha1'],
  ['old.example.com', 'v1alpha1'],
  ['olds.v1.example.com', undefined],
  ['news.v1alpha1.example.com', undefined],
])(
  'finds a kind in the first version that has it, or in the one that is named: %s',
  async (name, version) => {
    expect((await discovery().find(name))?.version).toBe(version);
  },
);

it('lists each kind once', async () => {
  const kinds = await discovery().all();
  expect(kinds.map(({ plural, version }) => `${plural} ${version}`)).toEqual([
    ...['both v1', 'news v1', 'olds v1alpha1'],
  ]);
  expect(await discovery().inCategory('all')).toHaveLength(3);
});

it('knows the kinds of manifests that every server has, and asks nobody', async () => {
  const silent = new Discovery(undefined as unknown as RestClient, new AbortController().signal);
  expect(await silent.find('Pod.v1.')).toMatchObject({ plural: 'pods' });
  expect(await silent.find('Deployment.v1.apps')).toMatchObject({ plural: 'deployments' });
});
