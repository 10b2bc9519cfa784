import type * as core from 'kubernetes-types/core/v1';
import { formatIp, parseIp } from '../lib/net/ip';
import type { DeepReadonly, Service } from './types';
import { jsonEqual } from './json-value';

/** A service that may be changed, before it is stored. */
export type ServiceSpec = NonNullable<core.Service['spec']>;
export type OldSpec = DeepReadonly<ServiceSpec>;

export const HEADLESS = 'None';

/** Every address and node port that a service holds, each once. */
export const holdingsOf = ({ spec }: Service): ReadonlySet<string | number> =>
  new Set(
    spec === undefined ? [] : [...addressesOf(spec), ...nodePortsOf(spec), ...healthPort(spec)],
  );

/** In the form in which they are compared: what is no address is nobody's. */
export const addressesOf = (spec: OldSpec): readonly string[] => {
  if (!needsAddress(spec)) return [];
  const given = spec.clusterIPs ?? [];
  return (given.length > 0 ? given : [spec.clusterIP ?? '']).flatMap((text) => {
    const address = parseIp(text);
    return typeof address === 'string' ? [] : [formatIp(address)];
  });
};

/** What clients have always been allowed to leave out of an update stays as it was. */
export const keepAllocated = (spec: ServiceSpec, old: OldSpec): void => {
  if (needsAddress(old) && needsAddress(spec)) {
    if ((spec.clusterIP ?? '') === '' && old.clusterIP !== undefined)
      spec.clusterIP = old.clusterIP;
    if ((spec.clusterIPs ?? []).length === 0 && old.clusterIPs !== undefined)
      spec.clusterIPs = [...old.clusterIPs];
  }
  if (needsNodePorts(old) && needsNodePorts(spec)) keepNodePorts(spec, old);
  if (needsHealthPort(old) && needsHealthPort(spec) && (spec.healthCheckNodePort ?? 0) === 0)
    setOrDelete(spec, 'healthCheckNodePort', old.healthCheckNodePort);
};

/** `clusterIPs` follows `clusterIP` for clients that know only that. */
export const syncAddresses = (spec: ServiceSpec, old: OldSpec | undefined): void => {
  const [ip = '', ips = []] = [spec.clusterIP, spec.clusterIPs];
  if (old === undefined) {
    if (ip !== '' && ips.length === 0) spec.clusterIPs = [ip];
    return;
  }
  const [oldIp = '', oldIps = []] = [old.clusterIP, old.clusterIPs];
  if (oldIps.length > 0 && ips.length === 0 && ip === oldIp) spec.clusterIPs = [...oldIps];
  if (ip === oldIp || !jsonEqual(ips, oldIps)) return;
  if (ip === '') delete spec.clusterIPs;
  else spec.clusterIPs = [ip];
};

/**
 * What is of no use to the type that the service becomes goes, unless its author has changed it too: then
 * validation says what is wrong.
 */
export const dropUnneeded = (spec: ServiceSpec, old: OldSpec): void => {
  if (needsAddress(old) && !needsAddress(spec)) {
    const isKept = isSame(spec, old, 'clusterIP') && isSame(spec, old, 'clusterIPs');
    if (isKept) drop(spec, 'clusterIP', 'clusterIPs');
    for (const field of ['ipFamilies', 'ipFamilyPolicy'] as const)
      if (isSame(spec, old, field)) drop(spec, field);
  }
  if (needsNodePorts(old) && !needsNodePorts(spec)) {
    const before = new Set(nodePortsOf(old));
    if (nodePortsOf(spec).every((each) => before.has(each)))
      for (const port of spec.ports ?? []) delete port.nodePort;
  }
  if (needsHealthPort(old) && !needsHealthPort(spec)) dropSame(spec, old, 'healthCheckNodePort');
  if (old.type === 'LoadBalancer' && spec.type !== 'LoadBalancer') {
    dropSame(spec, old, 'allocateLoadBalancerNodePorts');
    dropSame(spec, old, 'loadBalancerClass');
  }
  if (isReachedFromOutside(old) && !isReachedFromOutside(spec))
    dropSame(spec, old, 'externalTrafficPolicy');
};

export const needsAddress = ({ type }: OldSpec): boolean => type !== 'ExternalName';
export const needsNodePorts = ({ type }: OldSpec): boolean =>
  type === 'NodePort' || type === 'LoadBalancer';
export const needsHealthPort = ({ type, externalTrafficPolicy }: OldSpec): boolean =>
  type === 'LoadBalancer' && externalTrafficPolicy === 'Local';
export const isHeadless = ({ clusterIP }: OldSpec): boolean => clusterIP === HEADLESS;

/** Does it give each of its ports a node port? */
export const allocatesNodePorts = (spec: OldSpec): boolean =>
  spec.type === 'NodePort' ||
  (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false);

export const nodePortsOf = ({ ports = [] }: OldSpec): readonly number[] =>
  ports.flatMap(({ nodePort = 0 }) => (nodePort === 0 ? [] : [nodePort]));

/** From beyond the cluster's own network. */
export const isReachedFromOutside = (spec: OldSpec): boolean =>
  needsNodePorts(spec) || (spec.type === 'ClusterIP' && (spec.externalIPs ?? []).length > 0);

/** By the name of the port, where no other port has taken it over. */
const keepNodePorts = (spec: ServiceSpec, old: OldSpec): void => {
  const now = new Set(nodePortsOf(spec));
  const before = new Map((old.ports ?? []).map(({ name = '', nodePort = 0 }) => [name, nodePort]));
  for (const port of spec.ports ?? []) {
    if ((port.nodePort ?? 0) !== 0) continue;
    const known = before.get(port.name ?? '') ?? 0;
    if (known !== 0 && !now.has(known)) port.nodePort = known;
  }
};

const healthPort = (spec: OldSpec): readonly number[] => {
  const port = spec.healthCheckNodePort ?? 0;
  return needsHealthPort(spec) && port !== 0 ? [port] : [];
};

const isSame = (spec: OldSpec, old: OldSpec, field: keyof ServiceSpec): boolean =>
  jsonEqual(spec[field], old[field]);

const dropSame = (spec: ServiceSpec, old: OldSpec, field: keyof ServiceSpec): void => {
  if (isSame(spec, old, field)) drop(spec, field);
};

const drop = (spec: ServiceSpec, ...fields: readonly (keyof ServiceSpec)[]): void => {
  for (const field of fields) Reflect.deleteProperty(spec, field);
};

const setOrDelete = <K extends keyof ServiceSpec>(
  spec: ServiceSpec,
  field: K,
  value: ServiceSpec[K] | undefined,
): void => {
  if (value === undefined) Reflect.deleteProperty(spec, field);
  else spec[field] = value;
};
