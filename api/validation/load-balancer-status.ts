import { isIP } from 'node:net';
import { dns1123SubdomainProblems } from '../names';
import { validateIp } from './addresses';
import { forbidden, invalid, invalidFor, oneOf, required, type FieldError } from './field-error';

interface Point {
  readonly ip?: string;
  readonly hostname?: string;
  readonly ipMode?: string;
}

/** Where something is reached from outside. Source: upstream's pkg/apis/core/validation. */
export const validateLoadBalancerPoints = (
  points: readonly Point[],
  field: string,
): readonly FieldError[] =>
  points.flatMap(({ ip = '', hostname = '' }, i) => [
    ...(ip === '' ? [] : validateIp(ip, `${field}[${i}].ip`)),
    ...(hostname === '' ? [] : validateHost(hostname, `${field}[${i}].hostname`)),
  ]);

/** How a service's address is reached: of no other kind. */
export const validateIpModes = (points: readonly Point[], field: string): readonly FieldError[] =>
  points.flatMap(({ ip = '', ipMode }, i) => {
    const mode = `${field}[${i}].ipMode`;
    if (ipMode === undefined)
      return ip === '' ? [] : [required(mode, 'must be specified when `ip` is set')];
    return ip === ''
      ? [forbidden(mode, 'may not be specified when `ip` is not set')]
      : oneOf(mode, ipMode, ['Proxy', 'VIP']);
  });

const validateHost = (hostname: string, field: string): readonly FieldError[] => [
  ...invalidFor(field, hostname, dns1123SubdomainProblems(hostname)),
  ...(isIP(hostname) === 0
    ? []
    : [invalid(field, hostname, 'must be a DNS name, not an IP address')]),
];
