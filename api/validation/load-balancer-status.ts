import { dns1123SubdomainProblems } from '../names';
import { validateIp, validateNoIp } from './addresses';
import { forbidden, invalidFor, oneOf, required, type FieldError } from './field-error';

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
  points.flatMap((point, i) => [
    ...validateAddress(point, `${field}[${i}]`),
    ...validateHostname(point, `${field}[${i}]`),
  ]);

/** As the last, of services: they alone say how an address is reached. */
export const validateServicePoints = (
  points: readonly Point[],
  field: string,
): readonly FieldError[] =>
  points.flatMap((point, i) => [
    ...validateAddress(point, `${field}[${i}]`),
    ...validateIpMode(point, `${field}[${i}].ipMode`),
    ...validateHostname(point, `${field}[${i}]`),
  ]);

const validateAddress = ({ ip = '' }: Point, field: string): readonly FieldError[] =>
  ip === '' ? [] : validateIp(ip, `${field}.ip`);

const validateIpMode = ({ ip = '', ipMode }: Point, field: string): readonly FieldError[] => {
  if (ipMode === undefined)
    return ip === '' ? [] : [required(field, 'must be specified when `ip` is set')];
  return ip === ''
    ? [forbidden(field, 'may not be specified when `ip` is not set')]
    : oneOf(field, ipMode, ['Proxy', 'VIP']);
};

const validateHostname = ({ hostname = '' }: Point, field: string): readonly FieldError[] =>
  hostname === '' ? [] : validateHost(hostname, `${field}.hostname`);

const validateHost = (hostname: string, field: string): readonly FieldError[] => [
  ...invalidFor(field, hostname, dns1123SubdomainProblems(hostname)),
  ...validateNoIp(hostname, field),
];
