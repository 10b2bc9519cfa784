import { isIP } from 'node:net';

import type { EndpointSlice, Service } from '../../../api/types';
import { addressRecord, nameRecord, serviceRecord } from '../wire/records';
import { TYPE } from '../wire/constants';
import { encodeName } from '../wire/names';

/** Records that differ in no more than their data. */
export interface RecordSet {
  readonly records: readonly Buffer[];
  /** What whoever asks for them will ask for next. */
  readonly additional: readonly Buffer[];
}

/** What a name has, by type. Empty for a name that is there only because others lie below it. */
export type NameRecords = ReadonlyMap<number, RecordSet>;

/** All names of one Service. Source: kubernetes/dns, docs/specification.md. */
export interface ServiceNames {
  /** Of the Service itself; undefined when there is no such name. */
  readonly own: Lazily<NameRecords> | undefined;
  /** By what stands before the Service's name. */
  readonly below: ReadonlyMap<string, Lazily<NameRecords>>;
  /** Names by the addresses that lead back to them. */
  readonly reverse: readonly ReverseName[];
}

/** Made when it is first asked for: most names are never, and many have changed before they are. */
export type Lazily<T> = () => T;

export interface ReverseName {
  readonly address: string;
  readonly name: string;
  /** Of the Service, not of something behind it: then nothing else is told of the address. */
  readonly isService: boolean;
}

export interface ServiceNamesInput {
  readonly service: Service;
  readonly slices: readonly EndpointSlice[];
  /** Of the Service, as in `web.default.svc.cluster.local`. */
  readonly name: string;
  readonly ttlSeconds: number;
}

/** The names that one Service and what is behind it have. Pure. */
export const serviceNamesOf = (input: ServiceNamesInput): ServiceNames => {
  const { spec = {} } = input.service;
  if (spec.type === 'ExternalName') return aliasNames(input);
  const builder = new NamesBuilder(input);
  for (const endpoint of endpointsOf(input)) builder.addEndpoint(endpoint);
  if (spec.clusterIP === 'None') builder.addHeadless();
  else for (const address of clusterAddressesOf(input.service)) builder.addAddress(address);
  return builder.build();
};

const aliasNames = ({ service, ttlSeconds }: ServiceNamesInput): ServiceNames => {
  const name = service.spec?.externalName ?? '';
  const target = isIP(name) === 0 ? encodeName(name) : undefined;
  const alias = (bytes: Buffer): NameRecords =>
    new Map([
      [TYPE.CNAME, { records: [nameRecord(TYPE.CNAME, bytes, ttlSeconds)], additional: [] }],
    ]);
  // What looks like an address is none: CoreDNS has no name for it either.
  const isName = target !== undefined && target.length > 1;
  return { own: isName ? lazily(() => alias(target)) : undefined, below: new Map(), reverse: [] };
};

const clusterAddressesOf = ({ spec = {} }: Service): readonly string[] => {
  const { clusterIPs = [], clusterIP = '' } = spec;
  return clusterIPs.length > 0 ? clusterIPs : clusterIP === '' ? [] : [clusterIP];
};

interface PortName {
  readonly name: string;
  readonly protocol: string;
  readonly port: number;
}

interface Endpoint {
  readonly address: string;
  /** Its own among those of the Service. */
  readonly hostname: string;
  readonly ports: readonly PortName[];
}

function* endpointsOf({ service, slices }: ServiceNamesInput): Generator<Endpoint> {
  const tellsAll = service.spec?.publishNotReadyAddresses === true;
  for (const slice of slices) {
    const ports = portsOf(slice.ports ?? []);
    for (const { addresses, conditions, hostname = '' } of slice.endpoints) {
      // What is not said counts as ready.
      if (conditions?.ready === false && !tellsAll) continue;
      for (const address of addresses)
        yield { address, ports, hostname: hostname === '' ? dashed(address) : hostname };
    }
  }
}

interface PortLike {
  readonly name?: string | undefined;
  readonly protocol?: string | undefined;
  readonly port?: number | undefined;
}

const portsOf = (ports: readonly PortLike[]): readonly PortName[] =>
  ports.flatMap(({ name = '', protocol = 'TCP', port }) =>
    port === undefined ? [] : [{ name, port, protocol: protocol.toLowerCase() }],
  );

/** As CoreDNS calls what has no name: `10-0-0-1`, `fd00--1`. */
const dashed = (address: string): string => address.replace(/[.:]/g, '-');

/** A target of SRV records. */
interface Target {
  readonly name: string;
  readonly port: number;
}

/** What is collected for one name. Sets, for two slices may tell the same while an endpoint moves. */
class Collected {
  readonly addresses = new Set<string>();
  readonly targets = new Map<string, Target>();

  addTarget(target: Target): void {
    this.targets.set(`${target.port} ${target.name}`, target);
  }
}

class NamesBuilder {
  private readonly own = new Collected();
  private readonly below = new Map<string, Collected>();
  private readonly reverse: ReverseName[] = [];
  /** Addresses by the full name of a target. */
  private readonly addressesOf = new Map<string, Set<string>>();
  private readonly endpoints: Endpoint[] = [];

  constructor(private readonly input: ServiceNamesInput) {}

  addEndpoint(endpoint: Endpoint): void {
    const { address, hostname, ports } = endpoint;
    if (isIP(address) === 0) return;
    this.endpoints.push(endpoint);
    const name = this.nameBelow(hostname);
    const collected = this.collected(hostname);
    collected.addresses.add(address);
    for (const { port } of ports) collected.addTarget({ name, port });
    this.reverse.push({ address, name, isService: false });
    this.noteAddress(name, address);
  }

  addHeadless(): void {
    for (const { address, hostname, ports } of this.endpoints) {
      this.own.addresses.add(address);
      for (const port of ports) this.addPort(port, this.nameBelow(hostname));
    }
  }

  addAddress(address: string): void {
    if (isIP(address) === 0) return;
    const { name, service } = this.input;
    this.own.addresses.add(address);
    this.reverse.push({ address, name, isService: true });
    this.noteAddress(name, address);
    for (const port of portsOf(service.spec?.ports ?? [])) this.addPort(port, name);
  }

  build(): ServiceNames {
    const below = new Map<string, Lazily<NameRecords>>();
    for (const [label, collected] of this.below) {
      // `_http._tcp` makes `_tcp` a name, though one without records.
      const parent = label.slice(label.indexOf('.') + 1);
      if (parent !== label && !below.has(parent)) below.set(parent, NO_RECORDS);
      below.set(
        label,
        lazily(() => this.recordsOf(collected)),
      );
    }
    const isName = this.own.addresses.size > 0;
    const own = isName ? lazily(() => this.recordsOf(this.own)) : undefined;
    return { own, below, reverse: this.reverse };
  }

  /** Ports without a name have no name of their own; the Service's tells of them, as CoreDNS does. */
  private addPort({ name: portName, protocol, port }: PortName, name: string): void {
    this.own.addTarget({ name, port });
    if (portName !== '') this.collected(`_${portName}._${protocol}`).addTarget({ name, port });
  }

  private nameBelow(label: string): string {
    return `${label}.${this.input.name}`;
  }

  private collected(label: string): Collected {
    const lower = label.toLowerCase();
    const known = this.below.get(lower);
    if (known !== undefined) return known;
    const collected = new Collected();
    this.below.set(lower, collected);
    return collected;
  }

  private noteAddress(name: string, address: string): void {
    const known = this.addressesOf.get(name);
    if (known === undefined) this.addressesOf.set(name, new Set([address]));
    else known.add(address);
  }

  private recordsOf({ addresses, targets }: Collected): NameRecords {
    const { ttlSeconds } = this.input;
    const records = new Map<number, RecordSet>();
    for (const address of addresses) {
      const bytes = addressRecord(address, ttlSeconds);
      if (bytes === undefined) continue;
      const type = bytes.readUInt16BE(2);
      const known = records.get(type)?.records ?? [];
      records.set(type, { records: [...known, bytes], additional: [] });
    }
    const services = this.serviceRecords([...targets.values()]);
    if (services.records.length > 0) records.set(TYPE.SRV, services);
    return records;
  }

  private serviceRecords(targets: readonly Target[]): RecordSet {
    const { ttlSeconds } = this.input;
    // As CoreDNS: all the same, and a hundred together as far as that goes.
    const weight = Math.max(1, Math.floor(100 / Math.max(1, targets.length)));
    const names = new Map(
      targets.flatMap(({ name }) => {
        const bytes = encodeName(name);
        return bytes === undefined ? [] : [[name, bytes]];
      }),
    );
    const records = targets.flatMap(({ name, port }) => {
      const bytes = names.get(name);
      return bytes === undefined ? [] : [serviceRecord(port, weight, bytes, ttlSeconds)];
    });
    const additional = [...names].flatMap(([name, bytes]) =>
      [...(this.addressesOf.get(name) ?? [])].flatMap(
        (address) => addressRecord(address, ttlSeconds, bytes) ?? [],
      ),
    );
    return { records, additional };
  }
}

const lazily = <T>(make: () => T): Lazily<T> => {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
};

const NO_RECORDS: Lazily<NameRecords> = lazily(() => new Map());
