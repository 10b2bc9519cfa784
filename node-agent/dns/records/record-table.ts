import { BlockList, isIPv4 } from 'node:net';

import { SlicesByService } from '../../../api/slices-by-service';
import type { EndpointSlice, Service } from '../../../api/types';
import { describeError, type Log } from '../../../lib/log';
import { TYPE } from '../wire/constants';
import { encodeName } from '../wire/names';
import { addressRecord, nameRecord, textRecord } from '../wire/records';
import { addressOfReverse, canonicalAddress } from './reverse';
import { serviceNamesOf, type NameRecords, type ServiceNames } from './service-names';

export interface ZoneSettings {
  /** In lower case, without the last dot. */
  readonly domain: string;
  /** Where this server is asked. */
  readonly addresses: readonly string[];
  /** Of pods and Services: nobody else knows names of these addresses. */
  readonly ranges: readonly string[];
}

/** What the cluster's names say of one. */
export type Found =
  | { readonly kind: 'records'; readonly records: NameRecords }
  /** There is no such name: NXDOMAIN. */
  | { readonly kind: 'none' }
  /** It is none of the cluster's. */
  | { readonly kind: 'outside' };

/** The names of the cluster, kept up by the Services and slices that change. Knows no network. */
export class RecordTable {
  private readonly services = new Map<string, Service>();
  private readonly slices = new SlicesByService();
  /** Names by namespace, then by Service. */
  private readonly names = new Map<string, Map<string, ServiceNames>>();
  private readonly reverse = new Map<string, Map<string, readonly string[]>>();
  private readonly serviceReverse = new Map<string, Map<string, readonly string[]>>();
  private readonly dirty = new Set<string>();
  private fixed: ReadonlyMap<string, NameRecords>;
  private ranges: BlockList;
  private suffix: string;

  constructor(
    private settings: ZoneSettings,
    private readonly log: Log,
  ) {
    this.suffix = `.${settings.domain}`;
    this.fixed = fixedNames(settings);
    this.ranges = rangesOf(settings);
  }

  /** Names change at `flush`. */
  useSettings(settings: ZoneSettings): void {
    this.settings = settings;
    this.suffix = `.${settings.domain}`;
    this.fixed = fixedNames(settings);
    this.ranges = rangesOf(settings);
    for (const key of this.services.keys()) this.dirty.add(key);
  }

  get serviceKeys(): IterableIterator<string> {
    return this.services.keys();
  }

  get sliceKeys(): IterableIterator<string> {
    return this.slices.keys();
  }

  /** Undefined removes it. */
  setService(key: string, service: Service | undefined): void {
    if (service === undefined) this.services.delete(key);
    else this.services.set(key, service);
    this.dirty.add(key);
  }

  /** Undefined removes it. */
  setSlice(key: string, slice: EndpointSlice | undefined): void {
    for (const service of this.slices.set(key, slice)) this.dirty.add(service);
  }

  /** Makes what was set be what is told. */
  flush(): void {
    for (const key of this.dirty) this.rebuild(key);
    this.dirty.clear();
  }

  /** @param name in lower case, without the last dot */
  lookup(name: string): Found {
    if (name.endsWith(this.suffix)) return this.inZone(name.slice(0, -this.suffix.length));
    if (name === this.settings.domain) return EMPTY;
    const address = addressOfReverse(name);
    return address === undefined ? OUTSIDE : this.ofAddress(address);
  }

  private inZone(name: string): Found {
    if (name.endsWith(SERVICES)) return this.inServices(name.slice(0, -SERVICES.length));
    if (name.endsWith(PODS)) return podName(name.slice(0, -PODS.length));
    const records = this.fixed.get(name);
    return records === undefined ? NONE : { kind: 'records', records };
  }

  private inServices(name: string): Found {
    const dot = name.lastIndexOf('.');
    const inNamespace = this.names.get(name.slice(dot + 1));
    if (inNamespace === undefined) return NONE;
    if (dot < 0) return EMPTY;
    const before = name.lastIndexOf('.', dot - 1);
    const service = inNamespace.get(name.slice(before + 1, dot));
    if (service === undefined) return NONE;
    const records = before < 0 ? service.own : service.below.get(name.slice(0, before));
    if (records !== undefined) return { kind: 'records', records: records() };
    // The Service's own name is there as soon as one below it is.
    return before < 0 && service.below.size > 0 ? EMPTY : NONE;
  }

  private ofAddress(address: string): Found {
    const names = this.serviceReverse.get(address) ?? this.reverse.get(address);
    if (names === undefined)
      return this.ranges.check(address, isIPv4(address) ? 'ipv4' : 'ipv6') ? NONE : OUTSIDE;
    const all = [...new Set([...names.values()].flat())];
    const records = all.flatMap((name) => {
      const target = encodeName(name);
      return target === undefined ? [] : [nameRecord(TYPE.PTR, target, TTL_SECONDS)];
    });
    return { kind: 'records', records: new Map([[TYPE.PTR, { records, additional: [] }]]) };
  }

  private rebuild(key: string): void {
    const [namespace = '', name = ''] = key.split('/');
    const before = this.names.get(namespace)?.get(name);
    const after = this.namesOf(key, namespace, name);
    if (before !== undefined) this.unlinkReverse(key, before);
    if (after === undefined) {
      this.names.get(namespace)?.delete(name);
      if (this.names.get(namespace)?.size === 0) this.names.delete(namespace);
      return;
    }
    const inNamespace = this.names.get(namespace);
    if (inNamespace === undefined) this.names.set(namespace, new Map([[name, after]]));
    else inNamespace.set(name, after);
    this.linkReverse(key, after);
  }

  /** One that cannot be read has no names, and the others keep theirs. */
  private namesOf(key: string, namespace: string, name: string): ServiceNames | undefined {
    const service = this.services.get(key);
    if (service === undefined) return undefined;
    try {
      return serviceNamesOf({
        ...{ service, slices: this.slices.of(key), ttlSeconds: TTL_SECONDS },
        name: `${name}.${namespace}${SERVICES}${this.suffix}`,
      });
    } catch (error) {
      this.log.error({ service: key, err: describeError(error) }, 'service that has no names');
      return undefined;
    }
  }

  private linkReverse(key: string, { reverse }: ServiceNames): void {
    for (const { address, name, isService } of reverse) {
      const index = isService ? this.serviceReverse : this.reverse;
      const canonical = canonicalAddress(address) ?? address;
      const owners = index.get(canonical) ?? new Map<string, readonly string[]>();
      owners.set(key, [...(owners.get(key) ?? []), name]);
      index.set(canonical, owners);
    }
  }

  private unlinkReverse(key: string, { reverse }: ServiceNames): void {
    for (const { address, isService } of reverse) {
      const index = isService ? this.serviceReverse : this.reverse;
      const canonical = canonicalAddress(address) ?? address;
      index.get(canonical)?.delete(key);
      if (index.get(canonical)?.size === 0) index.delete(canonical);
    }
  }
}

const rangesOf = ({ ranges }: ZoneSettings): BlockList => {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', length = ''] = range.split('/');
    list.addSubnet(address, Number(length), isIPv4(address) ? 'ipv4' : 'ipv6');
  }
  return list;
};

/** Names of the zone that no Service gives it. */
const fixedNames = ({ addresses, domain }: ZoneSettings): ReadonlyMap<string, NameRecords> => {
  const server = new Map<number, { records: Buffer[]; additional: [] }>();
  for (const address of addresses) {
    const bytes = addressRecord(address, TTL_SECONDS);
    const type = bytes?.readUInt16BE(2) ?? 0;
    if (bytes !== undefined)
      server.set(type, { records: [...(server.get(type)?.records ?? []), bytes], additional: [] });
  }
  const version = { records: [textRecord(SCHEMA_VERSION, TTL_SECONDS)], additional: [] };
  const empty: NameRecords = new Map();
  return new Map([
    ['svc', empty],
    ['pod', empty],
    ['dns', empty],
    [nameServerOf(domain).slice(0, -domain.length - 1), server],
    ['dns-version', new Map([[TYPE.TXT, version]])],
  ]);
};

/**
 * `10-0-0-1.default` → that address, whether or not a pod has it. Which namespaces there are a node does not
 * know, so all are.
 */
const podName = (name: string): Found => {
  const [label = '', namespace, ...more] = name.split('.');
  if (namespace === undefined) return EMPTY;
  if (more.length > 0) return NONE;
  const bytes = podAddresses(label).flatMap((text) => addressRecord(text, TTL_SECONDS) ?? [])[0];
  if (bytes === undefined) return NONE;
  const set = { records: [bytes], additional: [] };
  return { kind: 'records', records: new Map([[bytes.readUInt16BE(2), set]]) };
};

const podAddresses = (label: string): readonly string[] =>
  /^\d{1,3}(-\d{1,3}){3}$/.test(label)
    ? [label.replaceAll('-', '.')]
    : [label.replaceAll('-', ':')];

/** The name that the zone gives to its own server. */
export const nameServerOf = (domain: string): string => `ns.dns.${domain}`;

/** Short, so that a client soon sees what has changed. CoreDNS has the same. */
export const TTL_SECONDS = 5;

const SCHEMA_VERSION = '1.1.0';
const SERVICES = '.svc';
const PODS = '.pod';
const NONE: Found = { kind: 'none' };
const OUTSIDE: Found = { kind: 'outside' };
/** It is a name, and has no records. */
const EMPTY: Found = { kind: 'records', records: new Map() };
