import { requestHeaders, responseHeaders } from './headers';

const ARRIVAL = { address: '192.0.2.1', proto: 'https', port: 443 } as const;

it('passes headers on as they came, but for those of the hop and of whoever asked', () => {
  const rawHeaders = [
    ...['Host', 'a', 'Accept', '*/*', 'Cookie', 'a=1', 'cookie', 'b=2', 'TE', 'trailers'],
    ...['X_Forwarded_For', '1.2.3.4', 'Connection', 'close, X-Mine', 'X-Mine', '1'],
    ...['connection', 'Content-Length', 'Content-Length', '0', 'Upgrade', 'x'],
  ];
  expect(requestHeaders({ rawHeaders, host: 'a' }, ARRIVAL)).toEqual([
    ...['Host', 'a', 'Accept', '*/*', 'Cookie', 'a=1', 'cookie', 'b=2', 'Content-Length', '0'],
    ...['X-Forwarded-For', '192.0.2.1', 'X-Forwarded-Host', 'a', 'X-Forwarded-Port', '443'],
    ...['X-Forwarded-Proto', 'https', 'X-Real-Ip', '192.0.2.1'],
  ]);
});

it('answers without what the endpoint says of its own connection', () => {
  const rawHeaders = ['Set-Cookie', 'a', 'Set-Cookie', 'b', 'Connection', 'keep-alive'];
  const own = ['Keep-Alive', 'timeout=5', 'Transfer-Encoding', 'chunked'];
  expect(responseHeaders([...rawHeaders, ...own])).toEqual(['Set-Cookie', 'a', 'Set-Cookie', 'b']);
});
