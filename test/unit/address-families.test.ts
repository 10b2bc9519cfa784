import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/*
 * Places that assume one family of addresses. What differs between them is said once: lib/net/ip.ts for
 * addresses, runtime/network/family.ts for nftables. Whoever needs one family alone is listed here, with why.
 */

const ROOT = join(__dirname, '../..');
const ROOMS = ['api', 'cli', 'client', 'control-plane', 'lib', 'node-agent', 'runtime'];

const SIGNS: readonly {
  readonly what: string;
  readonly sign: RegExp;
  /** File → why it may. */
  readonly except: Readonly<Record<string, string>>;
}[] = [
  {
    what: 'the type of an address in nftables',
    sign: /ipv[46]_addr/,
    except: { 'runtime/network/family.ts': 'says it' },
  },
  {
    what: 'a field of one header in nftables',
    sign: /\bip6? [sd]addr\b/,
    except: {
      'runtime/network/family.ts': 'explains it',
      'runtime/network/firewall.ts': 'what pods may never send of IPv4: 0.0.0.0/8, 127.0.0.0/8',
      'runtime/network/lab-uplink.ts': 'the way out of a local cluster is IPv4 alone',
    },
  },
  {
    what: 'a table of one family in nftables',
    sign: /\btable ip6? /,
    except: { 'runtime/network/lab-uplink.ts': 'the way out of a local cluster is IPv4 alone' },
  },
  {
    what: 'the length of an address',
    sign: /(?<![\d.:a-f]|\$)\/(32|128)\b/,
    except: {},
  },
  {
    what: 'arithmetic on addresses of 32 bits',
    sign: /2 \*\* \(32 -|256 ?\+ ?octet|[Ii]pv4Bytes|parseIpv4|formatIpv4/,
    except: {},
  },
  {
    what: 'a check for IPv4 alone',
    sign: /\bisIPv4\b|cidrv4\(|\bz\.ipv4\(/,
    except: {
      'lib/net/ip.ts': 'reads both',
      'api/custom-resources/formats.ts': 'the format ipv4',
      'api/validation/addresses.ts': 'slices of the type IPv4',
      'api/validation/service-addresses.ts': 'one of each family',
      'control-plane/api-server/services/ip-families.ts': 'tells one from the other',
      'control-plane/config.ts': 'one or the other',
      'node-agent/config.ts': 'one or the other',
      'node-agent/dns/records/record-table.ts': 'one or the other',
      'node-agent/dns/records/reverse.ts': 'names of both',
      'node-agent/dns/upstream/upstreams.ts': 'loopback of both',
      'node-agent/dns/wire/records.ts': 'records of both',
    },
  },
];

const sources = ROOMS.flatMap((room) =>
  readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
    .map((path) => join(room, path)),
).map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));

it.each(SIGNS)('is said in one place: $what', ({ sign, except }) => {
  const found = sources.filter(({ text }) => sign.test(text)).map(({ path }) => path);
  expect(found.filter((path) => !Object.hasOwn(except, path))).toEqual([]);
  // An exception that nothing needs any more goes.
  expect(Object.keys(except).filter((path) => !found.includes(path))).toEqual([]);
});
