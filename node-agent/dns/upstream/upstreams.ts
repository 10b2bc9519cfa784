import { isIP, isIPv4 } from 'node:net';
import { parseResolvConf } from '../../resolv-conf';
import { canonicalAddress } from '../records/reverse';
import type { UpstreamAddress } from './exchange';

/** Whom a resolv.conf names, but for those of whom we cannot ask: ourselves, and this machine. */
export const upstreamsOf = (text: string, own: readonly string[]): readonly UpstreamAddress[] => {
  const excluded = new Set(own.map(canonicalAddress));
  const addresses = parseResolvConf(text).nameservers.filter(
    (address) =>
      isIP(address) !== 0 && !isLoopback(address) && !excluded.has(canonicalAddress(address)),
  );
  return [...new Set(addresses)].slice(0, UPSTREAMS_MAX).map((address) => ({ address, port: 53 }));
};

const isLoopback = (address: string): boolean => {
  if (isIPv4(address)) return address.startsWith('127.') || address === '0.0.0.0';
  return ['::1', '::'].some((each) => canonicalAddress(each) === canonicalAddress(address));
};

/** As many as the C library asks. */
const UPSTREAMS_MAX = 3;
