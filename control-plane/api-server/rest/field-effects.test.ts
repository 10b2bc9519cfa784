import { startTestServer, type TestServer } from '../testing';

let server: TestServer;

beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const PODS = '/api/v1/namespaces/default/pods';
const pod = (spec: object) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'a' },
  spec: { containers: [{ name: 'c', image: 'x' }], ...spec },
});
const UNHEARD =
  'spec.securityContext.seLinuxChangePolicy: not supported by Dhow yet; it has no effect';

it('refuses a protection that it cannot give with 422, the field and the reason', async () => {
  const { status, json } = await server.request('POST', PODS, pod({ hostUsers: false }));
  expect([status, json.reason]).toEqual([422, 'Invalid']);
  expect(json.details.causes).toEqual([
    {
      reason: 'FieldValueInvalid',
      field: 'spec.hostUsers',
      message:
        'Invalid value: false: needs user namespaces, which Dhow does not support; nothing runs with ' +
        'less than it asks for',
    },
  ]);
});

it('warns in a header of a demand that nobody looks at, on create, update and in a dry run', async () => {
  const body = pod({ securityContext: { seLinuxChangePolicy: 'Recursive' } });
  for (const path of [`${PODS}?dryRun=All`, PODS]) {
    const { status, headers } = await server.request('POST', path, body);
    expect(status).toBe(201);
    expect(headers['warning']).toEqual([`299 - "${UNHEARD}"`]);
  }
  const merge = { headers: { 'content-type': 'application/merge-patch+json' } };
  const labels = { metadata: { labels: { a: 'b' } } };
  const { headers } = await server.request('PATCH', `${PODS}/a`, labels, merge);
  expect(headers['warning']).toEqual([`299 - "${UNHEARD}"`]);
});
