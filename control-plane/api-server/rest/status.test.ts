import { toApiError } from '../http/exchange';
import { startTestServer, type TestServer } from '../testing';
import { AUTHENTICATED, type User } from '../auth/user';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
  await server.request('POST', PODS, pod('present'));
});
afterEach(() => server[Symbol.asyncDispose]());

const PODS = '/api/v1/namespaces/default/pods';
const APPS = '/apis/apps/v1/namespaces/default/deployments';
const DEV: User = { name: 'dev', groups: [AUTHENTICATED] };
const MERGE = { 'content-type': 'application/merge-patch+json' };
const pod = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { containers: [{ name: 'c', image: 'x' }] },
});

describe('every failure carries details, which clients read unasked', () => {
  it.each<[string, string, string, unknown, string, object]>([
    [
      'an object that is not there',
      'GET',
      `${PODS}/x`,
      undefined,
      'NotFound',
      { name: 'x', kind: 'pods' },
    ],
    [
      'one of a named group',
      'GET',
      `${APPS}/x`,
      undefined,
      'NotFound',
      { name: 'x', group: 'apps', kind: 'deployments' },
    ],
    // kubectl debug takes an empty name for: no such subresource.
    ['an unknown part', 'PATCH', `${PODS}/present/nosuch`, {}, 'NotFound', {}],
    [
      'a second of one name',
      'POST',
      PODS,
      pod('present'),
      'AlreadyExists',
      { name: 'present', kind: 'pods' },
    ],
    [
      'the same, dry',
      'POST',
      `${PODS}?dryRun=All`,
      pod('present'),
      'AlreadyExists',
      { name: 'present', kind: 'pods' },
    ],
    [
      'an old version',
      'PUT',
      `${PODS}/present`,
      { ...pod('present'), metadata: { name: 'present', resourceVersion: '1' } },
      'Conflict',
      { name: 'present', kind: 'pods' },
    ],
    [
      'an invalid object',
      'POST',
      PODS,
      { ...pod('y'), spec: { containers: [] } },
      'Invalid',
      {
        name: 'y',
        kind: 'Pod',
        causes: [
          { reason: 'FieldValueRequired', message: 'Required value', field: 'spec.containers' },
        ],
      },
    ],
    [
      'a node that is not there',
      'POST',
      `${PODS}/present/binding`,
      { target: { name: 'ghost' } },
      'Invalid',
      {
        name: 'present',
        kind: 'Binding',
        causes: [
          { reason: 'FieldValueNotFound', message: 'Not found: "ghost"', field: 'target.name' },
        ],
      },
    ],
    ['a body that is no JSON', 'POST', PODS, '{', 'BadRequest', {}],
    ['a method', 'POST', `${PODS}/present`, {}, 'MethodNotAllowed', {}],
    ['a media type', 'POST', PODS, 'x', 'UnsupportedMediaType', {}],
  ])('%s', async (title, method, path, body, reason, details) => {
    const headers =
      title === 'a media type' ? { 'content-type': 'text/plain' } : method === 'PATCH' ? MERGE : {};
    const { json } = await server.request(method, path, body, { headers });
    expect([json.kind, json.reason, json.details]).toEqual(['Status', reason, details]);
  });

  it('a right that one lacks', async () => {
    const { json } = await server.request('GET', `${APPS}/x`, undefined, { user: DEV });
    expect(json.details).toEqual({ name: 'x', group: 'apps', kind: 'deployments' });
  });

  it('a name that one lacks', async () => {
    const user = { name: 'system:anonymous', groups: ['system:unauthenticated'] };
    const { json } = await server.request('GET', PODS, undefined, { user });
    expect([json.reason, json.details]).toEqual(['Unauthorized', {}]);
  });

  it('a finalizer for what is being deleted', async () => {
    const held = { ...pod('held'), metadata: { name: 'held', finalizers: ['example.org/a'] } };
    await server.request('POST', PODS, held);
    await server.request('DELETE', `${PODS}/held`);
    const body = { metadata: { finalizers: ['example.org/a', 'example.org/b'] } };
    const { json } = await server.request('PATCH', `${PODS}/held`, body, { headers: MERGE });
    expect(json.message).toBe(
      'Pod "held" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the ' +
        'object is being deleted, found new finalizers []string{"example.org/b"}',
    );
    expect(json.details).toMatchObject({ name: 'held', kind: 'Pod' });
    expect(json.details.causes).toHaveLength(1);
  });

  it('a fault of the server', () => {
    expect(toApiError(new Error('boom')).toStatus()).toMatchObject({
      message: 'Internal error occurred: boom',
      details: { causes: [{ message: 'boom' }] },
    });
  });
});
