import type { Pod, Service } from '../../api/types';
import { parsePorts, parseServicePorts } from './forwarded-ports';

const POD = {
  metadata: { name: 'web' },
  spec: { containers: [{ name: 'c', ports: [{ name: 'http', containerPort: 80 }] }] },
} as unknown as Pod;

it.each([
  ['8080', { local: 8080, remote: 8080 }],
  ['8888:80', { local: 8888, remote: 80 }],
  [':80', { local: 0, remote: 80 }],
  ['0:80', { local: 0, remote: 80 }],
  ['http', { local: 80, remote: 80 }],
  ['8888:http', { local: 8888, remote: 80 }],
])('reads %s', (text, ports) => {
  expect(parsePorts([text], POD)).toEqual([ports]);
});

it.each(['', ':', '1:2:3', '70000', '80:0', '-1:80', 'https', 'x:80', '80:'])(
  'refuses %j',
  (text) => {
    expect(() => parsePorts([text], POD)).toThrow();
  },
);

describe('ports of a service', () => {
  const service = (more: object = {}): Service => ({
    ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'front' } },
    spec: {
      ports: [
        { name: 'web', port: 8000, targetPort: 'http' },
        { port: 9000, targetPort: 9001 },
        { port: 70 },
      ],
      ...more,
    },
  });

  it.each([
    ['8000', { local: 8000, remote: 80 }],
    ['web', { local: 8000, remote: 80 }],
    ['1:web', { local: 1, remote: 80 }],
    [':9000', { local: 0, remote: 9001 }],
    ['70', { local: 70, remote: 70 }],
  ])('lead to those of its pods: %s', (text, ports) => {
    expect(parseServicePorts([text], service(), POD)).toEqual([ports]);
  });

  it('are those of the pods where it has no address', () => {
    const headless = service({ clusterIP: 'None' });
    expect(parseServicePorts(['9000'], headless, POD)).toEqual([{ local: 9000, remote: 9000 }]);
  });

  it.each([
    ['80', 'Service front does not have a service port 80'],
    ['x', "Service 'front' does not have a named port 'x'"],
    ['1:2:3', 'invalid port format'],
  ])('are none: %s', (text, why) => {
    expect(() => parseServicePorts([text], service(), POD)).toThrow(why);
  });
});
