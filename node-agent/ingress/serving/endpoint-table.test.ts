import { EndpointTable } from './endpoint-table';

const table = (addresses: readonly string[]): EndpointTable => {
  const endpoints = new EndpointTable();
  const metadata = { namespace: 'ns', name: 'web' };
  const shared = { apiVersion: 'v1', metadata };
  const ports = [{ name: 'http', port: 80, protocol: 'TCP' }];
  endpoints.setService('ns/web', { ...shared, kind: 'Service', spec: { ports } });
  endpoints.setSlice('ns/web', {
    ...{ ...shared, kind: 'EndpointSlice', addressType: 'IPv4', ports },
    metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'web' } },
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
  });
  return endpoints;
};

const turns = (endpoints: EndpointTable, count: number, maxCount: number) =>
  Array.from({ length: count }, () =>
    endpoints
      .inTurn({ namespace: 'ns', name: 'web', port: 'http' }, maxCount)
      .map(({ address }) => address)
      .join(),
  );

it('has each endpoint lead in its turn, with the next ones to fall back on', () => {
  expect(turns(table(['a', 'b', 'c', 'd']), 5, 3)).toEqual([
    ...['a,b,c', 'b,c,d', 'c,d,a', 'd,a,b', 'a,b,c'],
  ]);
});

it('names none twice when there are fewer than are asked for', () => {
  expect(turns(table(['a', 'b']), 3, 3)).toEqual(['a,b', 'b,a', 'a,b']);
  expect(turns(table(['a']), 2, 3)).toEqual(['a', 'a']);
  expect(turns(table([]), 1, 3)).toEqual(['']);
});
