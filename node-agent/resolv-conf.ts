import { readFileSync } from 'node:fs';

/** What a resolv.conf says. */
export interface ResolverConfig {
  readonly nameservers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

/** As the kubelet reads it: servers add up, of the rest the last line holds. Source: `network/dns/dns.go`. */
export const parseResolvConf = (text: string): ResolverConfig => {
  const lines = text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .map(([key = '', ...values]) => ({ key, values }));
  const last = (wanted: string) => lines.findLast(({ key }) => key === wanted)?.values ?? [];
  return {
    nameservers: lines.flatMap(({ key, values }) =>
      key === 'nameserver' ? values.slice(0, 1) : [],
    ),
    // With and without its dot a domain is the same.
    searches: last('search').map((domain) => domain.replace(/\.$/, '')),
    options: last('options'),
  };
};

/**
 * The text of a node's resolv.conf; of the one behind it where it leads to systemd-resolved, which pods cannot
 * reach. Empty when there is none.
 */
export const readNodeResolvConf = (path: string, uplinkPath = UPLINK_PATH): string => {
  const text = readText(path) ?? '';
  const { nameservers } = parseResolvConf(text);
  const isStub = nameservers.length > 0 && nameservers.every((address) => STUBS.has(address));
  return isStub ? (readText(uplinkPath) ?? text) : text;
};

const readText = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8').slice(0, TEXT_MAX);
  } catch {
    return undefined;
  }
};

const UPLINK_PATH = '/run/systemd/resolve/resolv.conf';
const STUBS = new Set(['127.0.0.53', '127.0.0.54']);
const TEXT_MAX = 1024 * 1024;
