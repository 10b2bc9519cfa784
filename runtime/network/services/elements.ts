import {
  formatIp,
  formatPrefix,
  ipBytes,
  ipOf,
  ipOfBytes,
  lastOf,
  prefixBetween,
  rangeOf,
  type IpAddress,
  type IpFamily,
} from '../../../lib/net/ip';

/**
 * The maps and sets whose elements are the state of all services; their elements carry no verdicts, so
 * that the kernel need not check the chains again at each change. A key is in nft's own words, its
 * fields joined by ` . `; sets have no data.
 */
export const TABLES = {
  /** Address, protocol and port of a service → group of endpoints. */
  front: { key: ['address', 'protocol', 'port'], data: ['mark'] },
  /** The same for what comes from outside the cluster, where that is led elsewhere. */
  front_out: { key: ['address', 'protocol', 'port'], data: ['mark'] },
  node_port: { key: ['protocol', 'port'], data: ['mark'] },
  node_port_out: { key: ['protocol', 'port'], data: ['mark'] },
  drops_out: { key: ['address', 'protocol', 'port'], data: [] },
  drops_port_out: { key: ['protocol', 'port'], data: [] },
  rejects: { key: ['address', 'protocol', 'port'], data: [] },
  rejects_port: { key: ['protocol', 'port'], data: [] },
  /** Only from some sources. */
  guarded: { key: ['address', 'protocol', 'port'], data: [] },
  allowed: { key: ['address', 'protocol', 'port', 'range'], data: [] },
  /** Other nodes: their pods are hidden at their addresses, so that they are no strangers. */
  peers: { key: ['address'], data: [] },
  /** An endpoint on this node, twice: it may connect to itself by way of a service. */
  own: { key: ['address', 'address'], data: [] },
  /** Group and slot → a part of a group of many. */
  part: { key: ['mark', 'slot'], data: ['mark'] },
  /** Group and slot → endpoint. */
  endpoint: { key: ['mark', 'slot'], data: ['address', 'port'] },
  /** Group and slot → number of an endpoint, for clients that stay. */
  choice: { key: ['mark', 'slot'], data: ['mark'] },
  chosen: { key: ['mark'], data: ['address', 'port'] },
} as const satisfies Record<string, TableSpec>;

export type TableName = keyof typeof TABLES;
export type FieldType = 'address' | 'protocol' | 'port' | 'mark' | 'slot' | 'range';
export interface TableSpec {
  readonly key: readonly FieldType[];
  readonly data: readonly FieldType[];
}

export interface Element {
  readonly table: TableName;
  readonly key: string;
  /** Empty in a set. */
  readonly data: string;
}

export const TABLE_NAMES = Object.keys(TABLES) as TableName[];

/** What only one service ever has: keys made of numbers that nobody else was given. */
export const OWN_TABLES: ReadonlySet<TableName> = new Set([
  'part',
  'endpoint',
  'choice',
  'chosen',
] as const);

export const joined = (...fields: readonly (string | number)[]): string => fields.join(' . ');
export const fieldsOf = (text: string): readonly string[] => text.split(' . ');

/**
 * As the kernel keeps it: each field fills four bytes, an address of IPv6 sixteen. The end of a key with a
 * range is its last.
 */
export const encodeFields = (
  types: readonly FieldType[],
  text: string,
  family: IpFamily,
  end = false,
): Buffer => {
  const fields = fieldsOf(text);
  return Buffer.concat(
    types.map((type, i) => {
      const field = fields[i] ?? '';
      if (type === 'address') return ipBytes(ipOf(field) ?? { family, bits: 0n });
      if (type === 'range') return ipBytes(edgeOf(field, family, end));
      const bytes = Buffer.alloc(FIELD_BYTES);
      if (type === 'protocol') bytes.writeUInt8(PROTOCOLS[field as keyof typeof PROTOCOLS]);
      else if (type === 'port') bytes.writeUInt16BE(Number(field));
      else bytes.writeUInt32LE(Number(field));
      return bytes;
    }),
  );
};

/** The reverse; `end` is needed where there is a range. */
export const decodeFields = (
  types: readonly FieldType[],
  bytes: Buffer,
  family: IpFamily,
  end?: Buffer,
): string => {
  let at = 0;
  return joined(
    ...types.map((type) => {
      const from = at;
      at += type === 'address' || type === 'range' ? ADDRESS_BYTES[family] : FIELD_BYTES;
      if (bytes.length < at) return '';
      const address = (of: Buffer): IpAddress =>
        ipOfBytes(of.subarray(from, at)) ?? { family, bits: 0n };
      if (type === 'address') return formatIp(address(bytes));
      if (type === 'range')
        return formatPrefix(prefixBetween(address(bytes), address(end ?? bytes)));
      if (type === 'protocol') return PROTOCOL_NAMES.get(bytes.readUInt8(from)) ?? '';
      if (type === 'port') return bytes.readUInt16BE(from);
      return bytes.readUInt32LE(from);
    }),
  );
};

const edgeOf = (text: string, family: IpFamily, end: boolean): IpAddress => {
  const range = rangeOf(text);
  if (range === undefined) return { family, bits: 0n };
  return end ? lastOf(range) : range.address;
};

export const PROTOCOLS = { tcp: 6, udp: 17, sctp: 132 } as const;
const PROTOCOL_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(PROTOCOLS).map(([name, number]) => [number, name]),
);
const FIELD_BYTES = 4;
const ADDRESS_BYTES = { 4: 4, 6: 16 } as const;
