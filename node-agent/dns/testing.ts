import { decode, encode, RECURSION_DESIRED, type DecodedPacket, type RecordType } from 'dns-packet';

import type { EndpointSlice, Service } from '../../api/types';
import { ManualClock, type Clock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { RecordTable, type ZoneSettings } from './records/record-table';
import { DnsCounters } from './serving/counters';
import { NameServer, type NameServerDeps } from './serving/name-server';

/** As another implementation of the DNS writes a question. */
export const queryFor = (
  name: string,
  type: string,
  more: {
    readonly id?: number;
    readonly class?: 'IN' | 'CH';
    readonly flags?: number;
    /** With EDNS, and what it says. */
    readonly udpBytes?: number;
    readonly ednsVersion?: number;
  } = {},
): Buffer =>
  encode({
    type: 'query',
    id: more.id ?? 7,
    flags: more.flags ?? RECURSION_DESIRED,
    questions: [{ name, type: type as RecordType, class: more.class ?? 'IN' }],
    ...(more.udpBytes === undefined
      ? {}
      : {
          additionals: [
            {
              ...{
                type: 'OPT',
                name: '.',
                flags: 0,
                flag_do: false,
                extendedRcode: 0,
                options: [],
              },
              udpPayloadSize: more.udpBytes,
              ednsVersion: more.ednsVersion ?? 0,
            },
          ],
        }),
  });

export interface ReadAnswer {
  readonly rcode: string;
  readonly isTruncated: boolean;
  readonly isAuthoritative: boolean;
  readonly question: string;
  /** `TYPE data` in their order; of all but what was asked for, the owner before. */
  readonly answers: readonly string[];
  readonly ttls: readonly number[];
  readonly authorities: readonly string[];
  readonly additionals: readonly string[];
}

/** As another implementation reads it. */
export const readAnswer = (message: Buffer): ReadAnswer => {
  const packet = decode(message) as DecodedPacket & { rcode: string };
  const asked = packet.questions?.[0]?.name ?? '';
  const line = (record: unknown): string => {
    const { name, type, data } = record as { name: string; type: string; data: unknown };
    return `${name === asked ? '' : `${name} `}${type} ${dataText(type, data)}`;
  };
  return {
    rcode: packet.rcode,
    isTruncated: packet.flag_tc,
    isAuthoritative: packet.flag_aa,
    question: asked,
    answers: (packet.answers ?? []).map(line),
    ttls: (packet.answers ?? []).map((record) => ('ttl' in record ? Number(record.ttl) : 0)),
    authorities: (packet.authorities ?? []).map(line),
    additionals: (packet.additionals ?? []).map(line),
  };
};

const dataText = (type: string, data: unknown): string => {
  if (type === 'SRV') {
    const { priority, weight, port, target } = data as Record<string, string | number>;
    return [priority, weight, port, target].join(' ');
  }
  if (type === 'SOA') return (data as { mname: string }).mname;
  if (type === 'TXT') return (data as readonly Buffer[]).join(' ');
  return typeof data === 'string' ? data : '';
};

export const ZONE: ZoneSettings = {
  domain: 'cluster.local',
  addresses: ['10.96.0.10'],
  ranges: ['10.42.0.0/16', '10.96.0.0/16'],
};

export const service = (
  name: string,
  spec: Service['spec'],
  namespace = 'default',
): readonly [string, Service] => [
  `${namespace}/${name}`,
  { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace, uid: name }, spec } as Service,
];

type SliceParts = Partial<Pick<EndpointSlice, 'addressType' | 'endpoints' | 'ports'>>;

export const slice = (
  name: string,
  serviceName: string,
  parts: SliceParts,
  namespace = 'default',
): readonly [string, EndpointSlice] => [
  `${namespace}/${name}`,
  {
    ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4' },
    metadata: { name, namespace, labels: { 'kubernetes.io/service-name': serviceName } },
    ...{ endpoints: [], ports: [], ...parts },
  },
];

interface World {
  readonly services?: readonly (readonly [string, Service])[];
  readonly slices?: readonly (readonly [string, EndpointSlice])[];
  readonly forwarder?: NameServerDeps['forwarder'];
  readonly clock?: Clock;
}

/** A server of the names of these. */
export const testNames = ({ services = [], slices = [], forwarder, clock }: World = {}) => {
  const table = new RecordTable(ZONE, silentLog);
  for (const [key, value] of services) table.setService(key, value);
  for (const [key, value] of slices) table.setSlice(key, value);
  table.flush();
  const counters = new DnsCounters();
  const names = new NameServer({
    ...{ table, counters, clock: clock ?? new ManualClock() },
    forwarder: forwarder ?? { ask: () => undefined },
  });
  names.changed(ZONE.domain);
  const ask = (name: string, type = 'A', more: Parameters<typeof queryFor>[2] = {}): ReadAnswer => {
    const answer = names.answer(queryFor(name, type, more));
    if (!Buffer.isBuffer(answer)) throw new Error('not answered at once');
    return readAnswer(answer);
  };
  return { table, names, counters, ask };
};
