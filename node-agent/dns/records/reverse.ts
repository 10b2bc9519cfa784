import { isIPv4, isIPv6 } from 'node:net';
import { addressBytes } from '../wire/records';

/** The address that `4.3.2.1.in-addr.arpa` or its like in ip6.arpa asks for, as it is usually written. */
export const addressOfReverse = (name: string): string | undefined => {
  if (name.endsWith(IPV4)) {
    const address = name.slice(0, -IPV4.length).split('.').reverse().join('.');
    return isIPv4(address) ? address : undefined;
  }
  if (!name.endsWith(IPV6)) return undefined;
  const digits = name.slice(0, -IPV6.length).split('.').reverse();
  if (digits.length !== 32 || !digits.every((digit) => /^[0-9a-f]$/.test(digit))) return undefined;
  return canonicalAddress((digits.join('').match(/.{4}/g) ?? []).join(':'));
};

/** One spelling of each address, so that they can be compared. Undefined for what is none. */
export const canonicalAddress = (address: string): string | undefined => {
  if (isIPv4(address)) return address;
  const bytes = isIPv6(address) ? addressBytes(address) : undefined;
  return bytes?.toString('hex').match(/.{4}/g)?.join(':');
};

const IPV4 = '.in-addr.arpa';
const IPV6 = '.ip6.arpa';
