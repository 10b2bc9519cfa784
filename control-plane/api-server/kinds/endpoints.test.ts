import { startTestServer, type TestServer } from '../testing';

let server: TestServer;

beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const ENDPOINTS = '/api/v1/namespaces/default/endpoints';
const SLICES = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';
const AS_TABLE = { headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } };

const createEndpoints = (subsets: unknown, name = 'web') =>
  server.request('POST', ENDPOINTS, {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { name },
    subsets,
  });
const createSlice = (more: object, name = 'web') =>
  server.request('POST', SLICES, {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name },
    ...more,
  });
const fieldsOf = ({ details }: { details: { causes: readonly { field: string }[] } }) =>
  details.causes.map(({ field }) => field);
const cellsOf = async (path: string): Promise<readonly unknown[]> => {
  const { json } = await server.request('GET', path, undefined, AS_TABLE);
  return json.rows[0].cells.slice(0, -1);
};

describe('Endpoints', () => {
  it('get their protocol, and say that they are deprecated', async () => {
    const { status, json, headers } = await createEndpoints([
      { addresses: [{ ip: '192.0.2.1' }, { ip: '2001:db8::1' }], ports: [{ port: 80 }] },
      {
        addresses: [{ ip: '192.0.2.3' }],
        ports: [
          { name: 'a', port: 1 },
          { name: 'b', port: 2 },
        ],
      },
    ]);
    expect([status, json.subsets[0].ports]).toEqual([201, [{ port: 80, protocol: 'TCP' }]]);
    expect(headers['warning']).toContainEqual(
      '299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"',
    );
    expect(await cellsOf(ENDPOINTS)).toEqual([
      'web',
      '192.0.2.1:80,[2001:db8::1]:80,192.0.2.3:1 + 1 more...',
    ]);
  });

  it('hold to what upstream lets be said', async () => {
    const { status, json } = await createEndpoints([
      {},
      {
        addresses: [{ ip: '127.0.0.1' }, { ip: 'x', hostname: 'a.b', nodeName: '-' }],
        notReadyAddresses: [{ ip: '169.254.169.254' }],
        ports: [
          { port: 0, protocol: 'ICMP' },
          { name: 'A', port: 1 },
        ],
      },
    ]);
    expect(status).toBe(422);
    expect(fieldsOf(json)).toEqual([
      'subsets[0]',
      'subsets[1].addresses[0].ip',
      'subsets[1].addresses[1].ip',
      'subsets[1].addresses[1].hostname',
      'subsets[1].addresses[1].nodeName',
      'subsets[1].addresses[1].ip',
      'subsets[1].notReadyAddresses[0].ip',
      'subsets[1].ports[0].name',
      'subsets[1].ports[0].port',
      'subsets[1].ports[0].protocol',
      'subsets[1].ports[1].name',
    ]);
    expect(json.message).toContain('may not be in the loopback range (127.0.0.0/8, ::1/128)');
  });

  it('show nothing where there is nothing', async () => {
    await createEndpoints(undefined);
    expect(await cellsOf(ENDPOINTS)).toEqual(['web', '<none>']);
  });
});

describe('EndpointSlices', () => {
  it('get what their ports lack, and count their changes', async () => {
    const slice = {
      addressType: 'IPv4',
      endpoints: [
        { addresses: ['192.0.2.1', '192.0.2.2'], deprecatedTopology: { a: 'b' } },
        { addresses: ['192.0.2.3', '192.0.2.4', '192.0.2.5'] },
      ],
      ports: [{ port: 80 }, { name: 'any' }],
    };
    const { json } = await createSlice(slice);
    expect(json.ports).toEqual([
      { name: '', port: 80, protocol: 'TCP' },
      { name: 'any', protocol: 'TCP' },
    ]);
    expect(json.endpoints[0]).toEqual({
      addresses: ['192.0.2.1', '192.0.2.2'],
      conditions: {},
    });
    expect(json.metadata.generation).toBe(1);
    expect(await cellsOf(SLICES)).toEqual([
      'web',
      'IPv4',
      '80,any',
      '192.0.2.1,192.0.2.2,192.0.2.3 + 2 more...',
    ]);
    const changed = await server.request('PUT', `${SLICES}/web`, { ...json, endpoints: [] });
    expect(changed.json.metadata.generation).toBe(2);
    expect(await cellsOf(SLICES)).toEqual(['web', 'IPv4', '80,any', '<unset>']);
  });

  it('holds addresses to their type', async () => {
    const refused = async (addressType: string, ...addresses: readonly string[]) => {
      const { status, json } = await createSlice({ addressType, endpoints: [{ addresses }] });
      expect(status).toBe(422);
      return json.details.causes.map(({ message }: { message: string }) => message);
    };
    expect(await refused('IPv4', '::1')).toEqual([
      'Invalid value: "::1": must be a valid IPv4 address',
      'Invalid value: "::1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
    ]);
    expect(await refused('IPv6', '192.0.2.1')).toEqual([
      'Invalid value: "192.0.2.1": must be a valid IPv6 address',
    ]);
    expect(await refused('FQDN', 'local')).toEqual([
      'Invalid value: "local": should be a domain with at least two segments separated by dots',
    ]);
    expect(await refused('MAC', 'x')).toEqual([
      'Unsupported value: "MAC": supported values: "FQDN", "IPv4", "IPv6"',
    ]);
    expect(await refused('IPv4')).toEqual(['Required value: must contain at least 1 address']);
  });

  it('know how much may be said, and that the type of addresses stays', async () => {
    const zones = Array.from({ length: 9 }, (_, i) => ({ name: `z${i}` }));
    const { json } = await createSlice({
      addressType: 'IPv4',
      endpoints: [
        { addresses: ['192.0.2.1'], hints: { forZones: zones } },
        { addresses: ['192.0.2.1'], hints: { forNodes: [{ name: 'n' }, { name: 'n' }] } },
      ],
      ports: [{ name: 'a' }, { name: 'a', protocol: 'ICMP' }],
    });
    expect(fieldsOf(json)).toEqual([
      'endpoints[0].hints.forZones',
      'endpoints[1].hints.forNodes[1].name',
      'ports[1].name',
      'ports[1].protocol',
    ]);
    const made = await createSlice({ addressType: 'IPv4', endpoints: [] });
    const moved = await server.request('PUT', `${SLICES}/web`, {
      ...made.json,
      addressType: 'IPv6',
    });
    expect(moved.json.message).toContain('addressType: Invalid value: "IPv6": field is immutable');
  });
});
