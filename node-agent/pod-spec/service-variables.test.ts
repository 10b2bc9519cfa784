import type { Pod, Service } from '../../api/types';
import { environmentOf } from './environment';
import { serviceVariablesOf } from './service-variables';

const service = (namespace: string, name: string, spec: object = {}): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace, name },
  spec: { clusterIP: '10.96.0.7', ports: [{ port: 80 }], ...spec },
});

const API = service('default', 'kubernetes', {
  clusterIP: '10.96.0.1',
  ports: [{ name: 'https', port: 443, protocol: 'TCP' }],
});

const pod = (spec: object = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: 'ns', name: 'p' },
  spec: { containers: [{ name: 'c' }], ...spec },
  status: {},
});

const API_VARIABLES = {
  KUBERNETES_SERVICE_HOST: '10.96.0.1',
  KUBERNETES_SERVICE_PORT: '443',
  KUBERNETES_SERVICE_PORT_HTTPS: '443',
  KUBERNETES_PORT: 'tcp://10.96.0.1:443',
  KUBERNETES_PORT_443_TCP: 'tcp://10.96.0.1:443',
  KUBERNETES_PORT_443_TCP_PROTO: 'tcp',
  KUBERNETES_PORT_443_TCP_PORT: '443',
  KUBERNETES_PORT_443_TCP_ADDR: '10.96.0.1',
};

const variables = (subject: Pod, services: readonly Service[]) =>
  Object.fromEntries(serviceVariablesOf(subject, services));

it('names services of the namespace and the API, as links of Docker did', () => {
  const ports = [
    { name: 'dns-udp', port: 53, protocol: 'UDP' },
    { name: 'web', port: 80 },
  ];
  const services = [
    service('ns', 'my-web', { clusterIP: 'fd00::7', ports }),
    service('ns', 'headless', { clusterIP: 'None' }),
    service('ns', 'outside', { type: 'ExternalName', clusterIP: '' }),
    service('other', 'other'),
    service('other', 'kubernetes'),
    service('default', 'web'),
    API,
  ];
  expect(variables(pod(), services)).toEqual({
    ...API_VARIABLES,
    MY_WEB_SERVICE_HOST: 'fd00::7',
    MY_WEB_SERVICE_PORT: '53',
    MY_WEB_SERVICE_PORT_DNS_UDP: '53',
    MY_WEB_SERVICE_PORT_WEB: '80',
    MY_WEB_PORT: 'udp://[fd00::7]:53',
    MY_WEB_PORT_53_UDP: 'udp://[fd00::7]:53',
    MY_WEB_PORT_53_UDP_PROTO: 'udp',
    MY_WEB_PORT_53_UDP_PORT: '53',
    MY_WEB_PORT_53_UDP_ADDR: 'fd00::7',
    MY_WEB_PORT_80_TCP: 'tcp://[fd00::7]:80',
    MY_WEB_PORT_80_TCP_PROTO: 'tcp',
    MY_WEB_PORT_80_TCP_PORT: '80',
    MY_WEB_PORT_80_TCP_ADDR: 'fd00::7',
  });
});

it('names the API alone where a pod wants no links', () => {
  const quiet = pod({ enableServiceLinks: false });
  expect(variables(quiet, [service('ns', 'web'), API])).toEqual(API_VARIABLES);
});

it.each([0, 1])('lets a service of the namespace come before the API (order %i)', (order) => {
  const own = service('ns', 'kubernetes');
  const services = order === 0 ? [own, API] : [API, own];
  expect(variables(pod(), services)['KUBERNETES_SERVICE_HOST']).toBe('10.96.0.7');
});

it('gives way to what the pod says itself, which may refer to it', () => {
  const env = [
    { name: 'WEB_SERVICE_PORT', value: '1' },
    { name: 'URL', value: 'http://$(WEB_SERVICE_HOST):$(WEB_SERVICE_PORT)/' },
  ];
  const objects = { secret: () => undefined, configMap: () => undefined };
  const node = { name: 'n', ip: '', podIp: '', cpuMillis: 0, memoryBytes: 0 };
  const inherited = serviceVariablesOf(pod(), [service('ns', 'web')]);
  const all = environmentOf(pod(), { name: 'c', env }, objects, node as never, inherited);
  expect(all.get('URL')).toBe('http://10.96.0.7:1/');
  expect(all.get('WEB_PORT')).toBe('tcp://10.96.0.7:80');
});
