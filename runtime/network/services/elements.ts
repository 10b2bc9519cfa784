import { formatIpv4, parseCidr, parseIpv4 } from '../ipv4';

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
  drops: { key: ['address', 'protocol', 'port'], data: [] },
  drops_out: { key: ['address', 'protocol', 'port'], data: [] },
  drops_port_out: { key: ['protocol', 'port'], data: [] },
  rejects: { key: ['address', 'protocol', 'port'], data: [] },
  rejects_port: { key: ['protocol', 'port'], data: [] },
  /** Only from some sources. */
  guarded: { key: ['address', 'protocol', 'port'], data: [] },
  allowed: { key: ['address', 'protocol', 'port', 'range'], data: [] },
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

/** As the kernel keeps it: each field fills four bytes. The end of a key with a range is its last. */
export const encodeFields = (types: readonly FieldType[], text: string, end = false): Buffer => {
  const bytes = Buffer.alloc(types.length * FIELD_BYTES);
  fieldsOf(text).forEach((field, i) => {
    const at = i * FIELD_BYTES;
    const type = types[i];
    if (type === 'address') bytes.writeUInt32BE(parseIpv4(field) ?? 0, at);
    else if (type === 'range') bytes.writeUInt32BE(edgeOf(field, end), at);
    else if (type === 'protocol') bytes.writeUInt8(PROTOCOLS[field as keyof typeof PROTOCOLS], at);
    else if (type === 'port') bytes.writeUInt16BE(Number(field), at);
    else bytes.writeUInt32LE(Number(field), at);
  });
  return bytes;
};

/** The reverse; `end` is needed where there is a range. */
export const decodeFields = (types: readonly FieldType[], bytes: Buffer, end?: Buffer): string =>
  joined(
    ...types.map((type, i) => {
      const at = i * FIELD_BYTES;
      if (bytes.length < at + FIELD_BYTES) return '';
      if (type === 'address') return formatIpv4(bytes.readUInt32BE(at));
      if (type === 'range')
        return formatRange(bytes.readUInt32BE(at), end?.readUInt32BE(at) ?? bytes.readUInt32BE(at));
      if (type === 'protocol') return PROTOCOL_NAMES.get(bytes.readUInt8(at)) ?? '';
      if (type === 'port') return bytes.readUInt16BE(at);
      return bytes.readUInt32LE(at);
    }),
  );

const edgeOf = (range: string, end: boolean): number => {
  const cidr = parseCidr(range);
  if (cidr === undefined) return 0;
  return end ? cidr.base + 2 ** (32 - cidr.prefixLength) - 1 : cidr.base;
};

const formatRange = (first: number, last: number): string =>
  `${formatIpv4(first)}/${32 - Math.round(Math.log2(last - first + 1))}`;

export const PROTOCOLS = { tcp: 6, udp: 17, sctp: 132 } as const;
const PROTOCOL_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(PROTOCOLS).map(([name, number]) => [number, name]),
);
const FIELD_BYTES = 4;
