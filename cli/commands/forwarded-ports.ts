import { containersIn } from '../../api/pod-in';
import type { Pod, Service } from '../../api/types';
import { UsageError } from '../usage-error';

export interface ForwardedPort {
  /** 0 for any free one. */
  readonly local: number;
  readonly remote: number;
}

/** Reads `8080`, `8888:80`, `:80` and `web:http`; a name is that of a port of the pod. Pure. @throws UsageError */
export const parsePorts = (texts: readonly string[], pod: Pod): readonly ForwardedPort[] =>
  texts.map((text) => {
    const parts = text.split(':');
    const [first = '', second = first, ...rest] = parts;
    if (rest.length > 0 || second === '') throw new UsageError(`invalid port format '${text}'`);
    const remote = remoteOf(second, pod);
    if (parts.length === 1) return { local: remote, remote };
    return { local: first === '' ? 0 : numberOf(first, 'local', 0), remote };
  });

/**
 * As `parsePorts`, where the remote ports are those of a service, and lead to what it names in the pod.
 * Pure. Source: `kubectl port-forward`. @throws UsageError
 */
export const parseServicePorts = (
  texts: readonly string[],
  service: Service,
  pod: Pod,
): readonly ForwardedPort[] => {
  const translated = texts.map((text) => {
    const parts = text.split(':');
    const [first = '', second = first, ...rest] = parts;
    if (rest.length > 0 || second === '') throw new UsageError(`invalid port format '${text}'`);
    const { port, target } = targetOf(second, service, pod);
    return `${parts.length === 1 ? port : first}:${target}`;
  });
  return parsePorts(translated, pod);
};

/** That the service has all the ports. Pure. @throws UsageError */
export const requireServicePorts = (texts: readonly string[], service: Service): void => {
  for (const text of texts) {
    const [first = '', second = first] = text.split(':');
    servicePort(second, service);
  }
};

const targetOf = (text: string, service: Service, pod: Pod) => {
  const { port, targetPort = port } = servicePort(text, service);
  // Whoever asks a service without an address asks its pods.
  if (service.spec?.clusterIP === 'None') return { port, target: port };
  return { port, target: remoteOf(String(targetPort), pod) };
};

const servicePort = (text: string, { metadata: { name }, spec }: Service) => {
  const isNumber = /^\d+$/.test(text);
  const found = (spec?.ports ?? []).find((each) =>
    isNumber ? each.port === Number(text) : each.name === text,
  );
  if (found === undefined)
    throw new UsageError(
      isNumber
        ? `Service ${name} does not have a service port ${text}`
        : `Service '${name}' does not have a named port '${text}'`,
    );
  return found;
};

const remoteOf = (text: string, pod: Pod): number => {
  if (/^\d+$/.test(text)) return numberOf(text, 'remote', 1);
  const ports = containersIn(pod.spec).flatMap(([{ ports: own = [] }]) => own);
  const named = ports.find(({ name }) => name === text);
  if (named !== undefined) return named.containerPort;
  throw new UsageError(`pod "${pod.metadata.name}" does not have a named port '${text}'`);
};

const numberOf = (text: string, which: string, least: number): number => {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port >= least && port < 65_536) return port;
  throw new UsageError(`error parsing ${which} port '${text}': it is not a port`);
};
