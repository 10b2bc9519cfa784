import type { Pod } from '../../api/types';
import { parsePorts } from './forwarded-ports';

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
