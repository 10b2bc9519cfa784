import { UsageError } from '../usage-error';
import { questionOf } from './why-blocked';

it.each([
  ['pod/client', 'svc/web:80', { pod: 'client' }, { service: 'web', port: 80 }],
  [
    'client',
    'service/web.other:http',
    { pod: 'client' },
    { service: 'web', namespace: 'other', port: 'http' },
  ],
  ['10.1.2.3', 'pod/web.v1:8080', { address: '10.1.2.3' }, { pod: 'web.v1', port: 8080 }],
  ['po/a', 'web', { pod: 'a' }, { pod: 'web' }],
  ['a', '10.1.2.3:80', { pod: 'a' }, { address: '10.1.2.3', port: 80 }],
  ['a', '2001:db8::1', { pod: 'a' }, { address: '2001:db8::1' }],
  ['fd00::2', '[fd00::1]:80', { address: 'fd00::2' }, { address: 'fd00::1', port: 80 }],
])('understands %s and %s', (from, to, source, target) => {
  expect(questionOf(from, to, undefined)).toEqual({ from: source, to: target });
  expect(questionOf(from, to, 'udp')).toEqual({ from: source, to: target, protocol: 'UDP' });
});

it.each([
  ['svc/a', 'svc/b:80', undefined, 'a connection comes from'],
  ['a', 'deploy/b:80', undefined, 'connect to svc/SERVICE:PORT'],
  ['a', 'pod/', undefined, 'connect to svc/SERVICE:PORT'],
  ['a', 'b:80', 'icmp', '--protocol: "icmp"'],
])('refuses %s and %s', (from, to, protocol, message) => {
  const ask = () => questionOf(from, to, protocol);
  expect(ask).toThrow(UsageError);
  expect(ask).toThrow(message);
});
