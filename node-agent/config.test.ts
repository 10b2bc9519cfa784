import { ingressPortsIn, parseAgentConfig } from './config';

const config = (labels: Readonly<Record<string, string>>) =>
  parseAgentConfig({ server: '192.0.2.1', launcherPath: '/launcher', labels });

it('takes labels that a node may give itself', () => {
  const labels = { 'topology.kubernetes.io/zone': 'a', 'acme.com/disk': 'ssd', plain: 'x' };
  expect(config(labels).labels).toEqual(labels);
});

it.each(['node-role.kubernetes.io/control-plane', 'node-restriction.kubernetes.io/tier'])(
  'says that %s is none',
  (key) =>
    expect(() => config({ [key]: 'x' })).toThrow(
      `label ${key} is not for nodes to give themselves`,
    ),
);

it('says where ingresses are served: nowhere without the program', () => {
  const minimal = { server: '192.0.2.1', launcherPath: '/launcher' };
  const ports = (more: object) => ingressPortsIn(parseAgentConfig({ ...minimal, ...more }));
  const ingressPath = '/proxy';
  expect(ports({})).toEqual([]);
  expect(ports({ ingressPath })).toEqual([80, 443]);
  expect(ports({ ingressPath, ingressHttpPort: 0 })).toEqual([443]);
  expect(ports({ ingressPath, ingressHttpPort: 0, ingressHttpsPort: 0 })).toEqual([]);
});
