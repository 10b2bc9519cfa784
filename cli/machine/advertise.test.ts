import { chooseAddress } from './advertise';

const at = (interfaceName: string, address: string) => ({ interfaceName, address });
const LOOPBACK = at('lo', '127.0.0.1');
const NAT = at('eth0', '10.0.2.15');

it.each([
  [
    'by the way out',
    [LOOPBACK, at('eth0', '10.1.1.5'), at('eth1', '192.168.56.10')],
    '10.1.1.5',
    '10.1.1.5',
  ],
  [
    'not that of the NAT of VirtualBox',
    [NAT, at('eth1', '192.168.56.10')],
    '10.0.2.15',
    '192.168.56.10',
  ],
  ['that of the NAT, where there is no other', [LOOPBACK, NAT], '10.0.2.15', '10.0.2.15'],
  [
    'a private one before a public one',
    [NAT, at('eth1', '8.8.8.8'), at('eth2', '172.20.0.3')],
    '10.0.2.15',
    '172.20.0.3',
  ],
  [
    'never one of containers',
    [NAT, at('docker0', '172.17.0.1'), at('eth1', '192.168.56.9')],
    '10.0.2.15',
    '192.168.56.9',
  ],
  [
    'never one of its own pods',
    [at('dhsvc', '10.96.0.1'), at('ens3', '192.168.1.2')],
    undefined,
    '192.168.1.2',
  ],
  [
    'IPv4 before IPv6',
    [at('eth0', 'fd00::5'), at('eth0', '192.168.1.2')],
    undefined,
    '192.168.1.2',
  ],
  [
    'IPv6 where there is nothing else',
    [at('eth0', 'fe80::1'), at('eth0', 'fd00::5')],
    undefined,
    'fd00::5',
  ],
])('chooses %s', (_, addresses, outward, expected) => {
  expect(chooseAddress(addresses, outward)?.address).toBe(expected);
});

it('says why, and which others there are', () => {
  const { reason } = chooseAddress(
    [NAT, at('eth1', '192.168.56.10'), at('eth2', '192.168.57.10')],
    '10.0.2.15',
  ) ?? { reason: '' };
  expect(reason).toContain('10.0.2.15 of eth0');
  expect(reason).toContain('there are also 192.168.57.10');
});

it('has none where there is only loopback', () => {
  expect(chooseAddress([LOOPBACK, at('lo', '::1')], undefined)).toBeUndefined();
});
