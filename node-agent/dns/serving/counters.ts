import type { ForwardCount } from '../upstream/forwarder';

/** What was asked of a resolver since its process began, by what it is counted under. */
export interface DnsCounts {
  readonly queries: Readonly<Record<string, number>>;
  readonly responses: Readonly<Record<string, number>>;
  readonly outside: Readonly<Record<string, number>>;
}

export class DnsCounters {
  private readonly types = new Map<number, number>();
  private readonly rcodes = new Map<number, number>();
  private readonly outside = new Map<ForwardCount, number>();

  asked(type: number): void {
    add(this.types, TYPE_NAMES.has(type) ? type : OTHER);
  }

  answered(rcode: number): void {
    add(this.rcodes, rcode);
  }

  forwarded(what: ForwardCount): void {
    add(this.outside, what);
  }

  get counts(): DnsCounts {
    return {
      queries: named(this.types, (type) => TYPE_NAMES.get(type) ?? 'other'),
      responses: named(this.rcodes, (rcode) => RCODE_NAMES[rcode] ?? String(rcode)),
      outside: named(this.outside, (what) => what),
    };
  }
}

const add = <K>(counts: Map<K, number>, key: K): void => {
  counts.set(key, (counts.get(key) ?? 0) + 1);
};

const named = <K>(counts: ReadonlyMap<K, number>, nameOf: (key: K) => string) =>
  Object.fromEntries([...counts].map(([key, count]) => [nameOf(key), count]));

/** All others are one: a client must not be able to make new ones. */
const TYPE_NAMES: ReadonlyMap<number, string> = new Map([
  ...([
    [1, 'A'],
    [2, 'NS'],
    [5, 'CNAME'],
    [6, 'SOA'],
    [12, 'PTR'],
    [15, 'MX'],
  ] as const),
  ...([
    [16, 'TXT'],
    [28, 'AAAA'],
    [33, 'SRV'],
    [64, 'SVCB'],
    [65, 'HTTPS'],
    [255, 'ANY'],
  ] as const),
]);
const OTHER = 0;
/** Source: the IANA registry of DNS parameters. */
const RCODE_NAMES: readonly (string | undefined)[] = [
  ...['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'],
  ...Array.from({ length: 10 }, () => undefined),
  'BADVERS',
];
