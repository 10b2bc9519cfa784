import { parseNetwork } from './network-config';
import { capabilityArgsFor, pluginInput, prevResultForDel } from './plugin-input';

const networkOf = (cniVersion: string, ...capabilities: string[]) =>
  parseNetwork(
    JSON.stringify({
      ...{ cniVersion, name: 'net' },
      plugins: [
        {
          ...{ type: 'one', name: 'own', cniVersion: '0.1.0' },
          capabilities: Object.fromEntries(capabilities.map((each) => [each, true])),
        },
      ],
    }),
    true,
  );

const PORT = { protocol: 'tcp', hostIp: '0.0.0.0', hostPort: 80, podPort: 8080 } as const;

it('gives a plugin the name and version of its network, and what it is capable of', () => {
  const network = networkOf('1.0.0', 'bandwidth');
  const capabilityArgs = { bandwidth: { ingressRate: 1 }, portMappings: [] };
  expect(
    pluginInput(network, network.plugins[0]!, { capabilityArgs, prevResult: { a: 1 } }),
  ).toEqual({
    ...{ type: 'one', name: 'net', cniVersion: '1.0.0', capabilities: { bandwidth: true } },
    ...{ runtimeConfig: { bandwidth: { ingressRate: 1 } }, prevResult: { a: 1 } },
  });
  expect(pluginInput(network, network.plugins[0]!, {})).not.toHaveProperty('runtimeConfig');
});

it('tells who undoes of the result only since they are to be told', () => {
  expect(prevResultForDel(networkOf('0.3.1'), { a: 1 })).toBeUndefined();
  expect(prevResultForDel(networkOf('0.4.0'), { a: 1 })).toEqual({ a: 1 });
});

it('asks for host ports, limits and addresses of the node’s ranges', () => {
  const network = networkOf('1.0.0', 'portMappings', 'bandwidth');
  const hostPorts = [PORT, { ...PORT, hostIp: '192.0.2.1' }];
  const limits = { egressBitsPerSecond: 1000 };
  expect(capabilityArgsFor(network, { hostPorts, limits }, ['10.1.0.0/24', 'fd00::/64'])).toEqual({
    portMappings: [
      { hostPort: 80, containerPort: 8080, protocol: 'tcp' },
      { hostPort: 80, containerPort: 8080, protocol: 'tcp', hostIP: '192.0.2.1' },
    ],
    bandwidth: { egressRate: 1000, egressBurst: 2 ** 31 - 1 },
    ipRanges: [[{ subnet: '10.1.0.0/24' }], [{ subnet: 'fd00::/64' }]],
  });
});

it('refuses what no plugin would do', () => {
  const network = networkOf('1.0.0', 'portMappings');
  expect(() => capabilityArgsFor(network, { limits: { ingressBitsPerSecond: 1000 } }, [])).toThrow(
    `no plugin of the CNI network "net" has the capability "bandwidth", which the pod's bandwidth annotation needs`,
  );
  expect(capabilityArgsFor(network, { hostPorts: [], limits: {} }, [])).toEqual({ ipRanges: [] });
});
