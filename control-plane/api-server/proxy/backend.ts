import { ApiError } from '../../../api/errors';
import type { Endpoints, ObjectName, Pod, Service } from '../../../api/types';
import type { ServedKind } from '../kinds/served-kind';
import type { ObjectService } from '../objects/object-service';
import { ENDPOINTS } from '../kinds/endpoints';
import { POD } from '../kinds/pod';
import { placedPod, type PodPlacement } from '../pods/target';

/** Where a proxied request goes. */
export interface Backend extends PodPlacement {
  readonly scheme: 'http' | 'https';
  readonly port: number;
}

/** `NAME`, `NAME:PORT` or `SCHEME:NAME:PORT`, as a path names what to proxy to. */
export interface ProxyName {
  readonly scheme: 'http' | 'https';
  readonly name: string;
  /** A number, or the name of a port; empty: whichever there is. */
  readonly port: string;
}

/** Pure. Undefined for what names nothing. */
export const parseProxyName = (text: string): ProxyName | undefined => {
  const parts = text.split(':');
  if (parts.length > 3) return undefined;
  const [scheme, name = '', port = ''] = parts.length === 3 ? parts : ['', ...parts];
  if (name === '' || (scheme !== '' && scheme !== 'http' && scheme !== 'https')) return undefined;
  return { scheme: scheme === '' ? 'http' : scheme, name, port };
};

/** A port of a pod: the first that it declares, where the path names none. @throws ApiError */
export const backendOfPod = async (
  { reader }: Pick<ObjectService, 'reader'>,
  pods: ServedKind,
  { namespace, name: text }: ObjectName,
  signal: AbortSignal,
): Promise<Backend> => {
  const asked = askedOf('pod', text);
  const name = { namespace, name: asked.name };
  const { object } = await reader.get(pods, name, undefined, NO_QUERY, { signal });
  const pod = object as Pod;
  const port = asked.port === '' ? firstPortOf(pod) : portNumber(asked.port);
  if (port === undefined) throw invalid('pod', text);
  return { ...reachable(pod, name), scheme: asked.scheme, port };
};

/**
 * One of the ready pods behind a port of a service. Addresses that are of no pod lead nowhere: whoever
 * writes Endpoints would else send the server where they may not go themselves. @throws ApiError
 */
export const backendOfService = async (
  { reader }: Pick<ObjectService, 'reader'>,
  services: ServedKind,
  { namespace, name: text }: ObjectName,
  draw: (count: number) => number,
  signal: AbortSignal,
): Promise<Backend> => {
  const asked = askedOf('service', text);
  const name = { namespace, name: asked.name };
  const get = async (kind: ServedKind, named: ObjectName) =>
    (await reader.get(kind, named, undefined, NO_QUERY, { signal })).object;
  const portName = portNameOf(await get(services, name), asked);
  const found = addressesOf(await get(ENDPOINTS, name), portName);
  if (found.length === 0)
    throw new ApiError('ServiceUnavailable', `no endpoints available for service "${text}"`);
  const { ip, podName, port } = found[draw(found.length)] ?? nothing();
  const podKey = { namespace, name: podName };
  const pod = (await get(POD, podKey)) as Pod;
  if (!ipsOf(pod).includes(ip))
    throw new ApiError('ServiceUnavailable', `address ${ip} is not that of pod "${podName}"`);
  return { ...reachable(pod, podKey), scheme: asked.scheme, port };
};

const askedOf = (what: string, text: string): ProxyName => {
  const asked = parseProxyName(text);
  if (asked === undefined) throw invalid(what, text);
  return asked;
};

const invalid = (what: string, text: string): ApiError =>
  new ApiError('BadRequest', `invalid ${what} request ${JSON.stringify(text)}`);

/** From within a pod of the host's network, the way leads to what its node serves to itself alone. */
const reachable = (pod: Pod, name: ObjectName): PodPlacement => {
  if (pod.spec.hostNetwork === true)
    throw new ApiError(
      'ServiceUnavailable',
      `pod "${name.name}" is on its node's network, which nothing is proxied to: forward its port`,
    );
  return placedPod(pod, name);
};

interface Address {
  readonly ip: string;
  readonly podName: string;
  readonly port: number;
}

/** Pure: the ready addresses of pods of the namespace that serve the port. */
const addressesOf = ({ metadata, subsets = [] }: Endpoints, portName: string): Address[] =>
  subsets.flatMap(({ addresses = [], ports = [] }) =>
    ports
      .filter(({ name = '', protocol = 'TCP' }) => name === portName && protocol === 'TCP')
      .flatMap(({ port }) =>
        addresses.flatMap(({ ip, targetRef }) =>
          targetRef?.kind === 'Pod' &&
          targetRef.name !== undefined &&
          targetRef.namespace === metadata.namespace
            ? [{ ip, podName: targetRef.name, port }]
            : [],
        ),
      ),
  );

/** Endpoints know the ports of a service by name. */
const portNameOf = ({ spec }: Service, { name, port }: ProxyName): string => {
  if (!/^\d+$/.test(port)) return port;
  const found = spec?.ports?.find((each) => each.port === Number(port));
  if (found !== undefined) return found.name ?? '';
  throw new ApiError(
    'ServiceUnavailable',
    `no service port ${Number(port)} found for service "${name}"`,
  );
};

const portNumber = (text: string): number | undefined => {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port > 0 && port < 65_536 ? port : undefined;
};

const firstPortOf = ({ spec }: Pod): number =>
  spec.containers.flatMap(({ ports = [] }) => ports)[0]?.containerPort ?? HTTP_PORT;

const ipsOf = ({ status }: Pod): readonly string[] => [
  ...(status.podIP === undefined ? [] : [status.podIP]),
  ...(status.podIPs ?? []).flatMap(({ ip }) => ip ?? []),
];

const nothing = (): never => {
  throw new Error('drawn from beyond the end');
};

const NO_QUERY = new URLSearchParams();
const HTTP_PORT = 80;
