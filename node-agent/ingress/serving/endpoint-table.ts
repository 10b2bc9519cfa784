import { SlicesByService } from '../../../api/slices-by-service';
import type { EndpointSlice, Service } from '../../../api/types';
import {
  chooseEndpoints,
  conditionsOf,
  type CandidateEndpoint,
} from '../../services/endpoint-choice';
import type { ServiceBackend } from '../routing/route-table';

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/**
 * The endpoints behind ports of Services, in turn. Followed as they change: the ready ones, and while there are
 * none those that still serve as they end.
 */
export class EndpointTable {
  private readonly services = new Map<string, Service>();
  private readonly slices = new SlicesByService();
  /** What has been worked out, by Service and then by port. */
  private readonly rotations = new Map<string, Map<number | string, Rotation>>();

  get serviceKeys(): IterableIterator<string> {
    return this.services.keys();
  }

  get sliceKeys(): IterableIterator<string> {
    return this.slices.keys();
  }

  setService(key: string, service: Service | undefined): void {
    if (service === undefined) this.services.delete(key);
    else this.services.set(key, service);
    this.rotations.delete(key);
  }

  setSlice(key: string, slice: EndpointSlice | undefined): void {
    for (const service of this.slices.set(key, slice)) this.rotations.delete(service);
  }

  /** Up to `maxCount` endpoints, each once, the one whose turn it is first. */
  inTurn(backend: ServiceBackend, maxCount: number): readonly Endpoint[] {
    const key = `${backend.namespace}/${backend.name}`;
    const ports = this.rotations.get(key) ?? new Map<number | string, Rotation>();
    this.rotations.set(key, ports);
    const rotation = ports.get(backend.port) ?? {
      endpoints: this.find(key, backend.port),
      next: 0,
    };
    ports.set(backend.port, rotation);
    const { endpoints, next } = rotation;
    rotation.next = endpoints.length === 0 ? 0 : (next + 1) % endpoints.length;
    const chosen = endpoints.slice(next, next + maxCount);
    return chosen.length === maxCount || next === 0
      ? chosen
      : chosen.concat(endpoints.slice(0, Math.min(next, maxCount - chosen.length)));
  }

  private find(key: string, wanted: number | string): readonly Endpoint[] {
    const service = this.services.get(key);
    // Its name is somebody else's to say: an ingress must not be led out of its namespace by it.
    if (service?.spec?.type === 'ExternalName') return [];
    const port = service?.spec?.ports?.find(({ name, port: number }) =>
      typeof wanted === 'string' ? name === wanted : number === wanted,
    );
    if (port === undefined || (port.protocol ?? 'TCP') !== 'TCP') return [];
    const candidates = this.slices.of(key).flatMap((slice) => candidatesIn(slice, port.name ?? ''));
    const { endpoints } = chooseEndpoints(candidates, { name: '', zone: undefined });
    const all = endpoints.map(({ address, port: number }): [string, Endpoint] => [
      `${address} ${number}`,
      { address, port: number },
    ]);
    return [...new Map(all).values()];
  }
}

interface Rotation {
  readonly endpoints: readonly Endpoint[];
  next: number;
}

const candidatesIn = (
  { addressType, endpoints, ports }: EndpointSlice,
  portName: string,
): readonly CandidateEndpoint[] => {
  const port = ports?.find(({ name = '' }) => name === portName)?.port;
  if (port === undefined || addressType === 'FQDN') return [];
  return endpoints.flatMap((endpoint) => {
    const [address] = endpoint.addresses;
    if (address === undefined) return [];
    return [{ address, port, isLocal: false, ...conditionsOf(endpoint) }];
  });
};
