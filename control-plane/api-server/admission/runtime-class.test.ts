import { startTestServer } from '../testing';

it('runs nobody without the sandbox that they ask for', async () => {
  await using server = await startTestServer();
  const { status, json } = await server.request('POST', '/api/v1/namespaces/default/pods', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'a' },
    spec: { runtimeClassName: 'gvisor', containers: [{ name: 'c', image: 'x' }] },
  });
  expect([status, json.message]).toEqual([
    403,
    'pods "a" is forbidden: pod rejected: RuntimeClass "gvisor" not found',
  ]);
});
