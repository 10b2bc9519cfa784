import type { ApiRequest } from './exchange';
import { watchInQuery } from './watch-path';

const asked = (url: string, method = 'GET') => {
  const [path = '', query = ''] = url.split('?');
  const request = { method, path, query: new URLSearchParams(query) };
  const changed = watchInQuery(request as unknown as ApiRequest);
  const text = decodeURIComponent(changed.query.toString());
  return `${changed.path}${text === '' ? '' : `?${text}`}`;
};

it.each([
  ['/api/v1/watch/pods', '/api/v1/pods?watch=true'],
  ['/api/v1/watch/namespaces', '/api/v1/namespaces?watch=true'],
  ['/api/v1/watch/namespaces/a', '/api/v1/namespaces?watch=true&fieldSelector=metadata.name=a'],
  ['/api/v1/watch/namespaces/a/pods', '/api/v1/namespaces/a/pods?watch=true'],
  [
    '/api/v1/watch/namespaces/a/pods/b?fieldSelector=spec.nodeName=n&resourceVersion=5',
    '/api/v1/namespaces/a/pods?fieldSelector=spec.nodeName=n,metadata.name=b&resourceVersion=5&watch=true',
  ],
  ['/apis/apps/v1/watch/deployments/', '/apis/apps/v1/deployments?watch=true'],
])('%s is %s', (old, now) => {
  expect(asked(old)).toBe(now);
});

it.each([
  ['/api/v1/watch'],
  ['/api/v1/pods?watch=true'],
  ['/api/v1/namespaces/watch/pods'],
  ['/apis/apps/watch/deployments'],
  ['/api/v1/watch/namespaces/a/pods/b/log'],
  ['/api/v1/watch/namespaces/a/pods/b,c'],
  ['/healthz/watch/x'],
])('%s stays as it is', (url) => {
  expect(asked(url)).toBe(url);
});

it('is of reading alone', () => {
  expect(asked('/api/v1/watch/pods', 'POST')).toBe('/api/v1/watch/pods');
});
