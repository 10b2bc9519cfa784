import { ApiError } from '../../../api/errors';
import { SERVICES } from '../../../api/resources';
import { invalid, invalidError, type FieldError } from '../../../api/validation/field-error';
import { formatIp, parseIp } from '../../../lib/net/ip';
import { familyOf, fillIpFamilies, keepsBoth, type IpFamily } from './ip-families';
import type { Taking } from './pools';
import {
  allocatesNodePorts,
  HEADLESS,
  needsAddress,
  needsHealthPort,
  needsNodePorts,
  nodePortsOf,
  type OldSpec,
  type ServiceSpec,
} from '../../../api/service-fields';

/** What a service is to be, in place of what. */
export interface Assignment {
  readonly name: string;
  /** Changed in place. */
  readonly spec: ServiceSpec;
  /** Absent for a new service. */
  readonly old: OldSpec | undefined;
}

/**
 * Gives a service the families, addresses and ports that it lacks, and takes those that it asks for.
 * What it has already stays its own. Source: upstream's pkg/registry/core/service/storage/alloc.go.
 * @throws Invalid when what it asks for cannot be had, InternalError when there is nothing left
 */
export const assign = (
  { name, spec, old }: Assignment,
  families: readonly IpFamily[],
  taking: Taking,
): void => {
  refuse(name, fillIpFamilies(spec, old, families));
  if (!keepsBoth(spec, old)) assignAddresses(name, spec, old, taking);
  if (needsNodePorts(spec)) assignNodePorts(name, spec, old, taking);
  if (needsHealthPort(spec) && (old === undefined || !needsHealthPort(old)))
    assignHealthPort(spec, taking);
};

const assignAddresses = (
  name: string,
  spec: ServiceSpec,
  old: OldSpec | undefined,
  taking: Taking,
): void => {
  const wasHeadless = old?.clusterIPs?.[0] === HEADLESS;
  if (!needsAddress(spec) || spec.clusterIPs?.[0] === HEADLESS) return;
  if (wasHeadless && old.type !== 'ExternalName') return;
  const owned = new Set(old !== undefined && needsAddress(old) ? old.clusterIPs : []);
  const addresses = [...(spec.clusterIPs ?? [])];
  for (const [i, family] of (spec.ipFamilies ?? []).entries()) {
    const wanted = addresses[i] ?? '';
    // That an address may not be changed is for validation to say.
    if (owned.has(wanted) || (wanted !== '' && owned.size > i)) continue;
    addresses[i] =
      wanted === '' ? anyAddress(family, taking) : chosenAddress(name, wanted, addresses, taking);
  }
  if (addresses.length === 0) return;
  spec.clusterIPs = addresses;
  spec.clusterIP = addresses[0] ?? '';
};

const anyAddress = (family: string, taking: Taking): string => {
  const found = taking.anyAddress(family as IpFamily);
  if (found === undefined) throw exhausted('failed to allocate a serviceIP: range is full');
  return found;
};

const chosenAddress = (
  name: string,
  wanted: string,
  addresses: readonly string[],
  taking: Taking,
): string => {
  const parsed = parseIp(wanted);
  const why = taking.address(typeof parsed === 'string' ? wanted : formatIp(parsed));
  if (why !== undefined)
    refuse(name, [
      invalid('spec.clusterIPs', addresses, `failed to allocate IP ${wanted}: ${why}`),
    ]);
  return wanted;
};

/** Of a new service the ports of one number, of several protocols, share a node port. */
const assignNodePorts = (
  name: string,
  spec: ServiceSpec,
  old: OldSpec | undefined,
  taking: Taking,
): void => {
  const owned = new Set(old === undefined ? [] : nodePortsOf(old));
  const shared = new Map<number, number>();
  const ports = spec.ports ?? [];
  for (const [i, port] of ports.entries()) {
    const wanted = port.nodePort ?? 0;
    if (wanted === 0 && !allocatesNodePorts(spec)) continue;
    const known = old === undefined ? (shared.get(port.port) ?? requestedFor(port.port, ports)) : 0;
    const number = wanted === 0 ? known : wanted;
    port.nodePort = number === 0 ? anyPort(taking) : number;
    const isShared =
      old === undefined ? shared.get(port.port) === number : taking.taken.has(number);
    if (number !== 0 && !owned.has(number) && !isShared)
      refusePort(name, i, number, taking.port(number));
    if (!shared.has(port.port)) shared.set(port.port, port.nodePort);
  }
};

const requestedFor = (number: number, ports: readonly { port: number; nodePort?: number }[]) =>
  ports.find(({ port, nodePort = 0 }) => port === number && nodePort !== 0)?.nodePort ?? 0;

const assignHealthPort = (spec: ServiceSpec, taking: Taking): void => {
  const wanted = spec.healthCheckNodePort ?? 0;
  if (wanted === 0) {
    const found = taking.anyPort();
    if (found === undefined)
      throw exhausted('failed to allocate a HealthCheck NodePort 0: range is full');
    spec.healthCheckNodePort = found;
    return;
  }
  const why = taking.port(wanted);
  if (why !== undefined)
    throw exhausted(`failed to allocate requested HealthCheck NodePort ${wanted}: ${why}`);
};

const anyPort = (taking: Taking): number => {
  const found = taking.anyPort();
  if (found === undefined) throw exhausted('failed to allocate a nodePort: range is full');
  return found;
};

const refusePort = (name: string, index: number, port: number, why: string | undefined): void => {
  if (why !== undefined) refuse(name, [invalid(`spec.ports[${index}].nodePort`, port, why)]);
};

const refuse = (name: string, errors: readonly FieldError[]): void => {
  if (errors.length > 0) throw invalidError(SERVICES, name, errors);
};

const exhausted = (why: string): ApiError =>
  new ApiError('InternalError', `Internal error occurred: ${why}`, {
    details: { causes: [{ reason: 'InternalError', message: why }] },
  });

/** For services that were stored before anybody gave them addresses: as what they say they have. */
export const withFamilies = (old: OldSpec): OldSpec => {
  const address = old.clusterIP ?? '';
  if (!needsAddress(old) || address === '' || old.clusterIPs !== undefined) return old;
  const family = familyOf(address);
  return {
    ...old,
    clusterIPs: [address],
    ...(family === undefined || old.ipFamilies !== undefined ? {} : { ipFamilies: [family] }),
  };
};
