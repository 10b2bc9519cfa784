import { startTestServer } from '../testing';

it('gives nodes the labels that old selectors look for', async () => {
  await using server = await startTestServer();
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' } };
  await server.request('POST', '/api/v1/nodes', node);
  const { json } = await server.request(
    'PATCH',
    '/api/v1/nodes/n',
    { metadata: { labels: { 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': 'arm64' } } },
    { headers: { 'content-type': 'application/merge-patch+json' } },
  );
  expect(json.metadata.labels).toMatchObject({
    'beta.kubernetes.io/os': 'linux',
    'beta.kubernetes.io/arch': 'arm64',
  });
});
