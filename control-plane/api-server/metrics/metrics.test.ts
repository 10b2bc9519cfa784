import { startTestServer } from '../testing';

it('counts requests and objects, whatever paths strangers invent', async () => {
  await using server = await startTestServer();
  await server.request('GET', '/api/v1/pods');
  await server.request('GET', '/api/v1/namespaces/default/pods/nope');
  for (let i = 0; i < 3; i++) await server.request('GET', `/invented/${i}`);
  const { status, text } = await server.request('GET', '/metrics');
  expect(status).toBe(200);
  const lines = text.split('\n');
  expect(lines).toContain('apiserver_request_total{verb="list",resource="pods",code="200"} 1');
  expect(lines).toContain('apiserver_request_total{verb="get",resource="pods",code="404"} 1');
  expect(lines).toContain('apiserver_request_total{verb="get",resource="",code="404"} 3');
  expect(lines).toContain('apiserver_storage_objects{resource="namespaces"} 4');
  expect(text).not.toContain('invented');
});

it('is not for everyone', async () => {
  await using server = await startTestServer();
  const user = { name: 'dev', groups: ['system:authenticated'] };
  expect((await server.request('GET', '/metrics', undefined, { user })).status).toBe(403);
});
