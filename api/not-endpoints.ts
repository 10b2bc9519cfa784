import { isPodReady, isTerminal, isTerminating } from './pods';
import {
  addressesOf,
  addressTypesOf,
  endpointPortsOf,
  hasSelector,
  isOfType,
  isPublishedAnyway,
  isSelectedBy,
} from './service-endpoints';
import { keyOf, type Pod, type Service } from './types';

/** A pod that people may take for one behind the Service, and why no new connection goes to it. */
export interface NotEndpoint {
  readonly pod: Pod;
  readonly reason: string;
}

/**
 * Of the pods of the Service's namespace, those that it selects, or all but selects, and that it does not
 * send anybody to, in the order of their names. A pod is nearly selected that has one of several labels,
 * or one of a key that is wanted under another value.
 */
export const notEndpointsOf = (service: Service, pods: readonly Pod[]): readonly NotEndpoint[] => {
  if (!hasSelector(service)) return [];
  return pods
    .filter(({ metadata }) => metadata.namespace === service.metadata.namespace)
    .flatMap((pod) => {
      const reason = reasonOf(service, pod);
      return reason === undefined ? [] : { pod, reason };
    })
    .sort((a, b) => (keyOf(a.pod) < keyOf(b.pod) ? -1 : 1));
};

const reasonOf = (service: Service, pod: Pod): string | undefined => {
  if (!isSelectedBy(service, pod)) return labelReason(service, pod);
  if (isTerminal(pod)) return `it has ended: ${pod.status.phase ?? ''}`;
  if (addressesOf(pod).length === 0) return 'it has no address yet';
  const types = addressTypesOf(service);
  if (!addressesOf(pod).some((ip) => types.some((type) => isOfType(ip, type))))
    return `it has no address of the families of the service: ${types.join(', ')}`;
  const wanted = service.spec?.ports ?? [];
  if (wanted.length > 0 && endpointPortsOf(service, pod).length === 0)
    return `no container of it has a port of the name ${quoted(wanted.map(({ targetPort }) => String(targetPort)))}`;
  if (isPublishedAnyway(service)) return undefined;
  if (isTerminating(pod)) return 'it is terminating';
  return isPodReady(pod) ? undefined : `it is not ready${readyReason(pod)}`;
};

/** Undefined for a pod that has nothing to do with the Service. */
const labelReason = (service: Service, { metadata: { labels = {} } }: Pod): string | undefined => {
  const wanted = Object.entries(service.spec?.selector ?? {});
  const wrong = wanted.filter(([key, value]) => labels[key] !== value);
  const isNear =
    wrong.length < wanted.length || wrong.some(([key, value]) => isLike(labels[key], value));
  if (!isNear) return undefined;
  return wrong
    .map(([key, value]) =>
      labels[key] === undefined
        ? `label ${key} is missing, "${value}" is wanted`
        : `label ${key} is "${labels[key]}", "${value}" is wanted`,
    )
    .join('; ');
};

/** But for the case of letters or what stands before or after. */
const isLike = (label: string | undefined, value: string): boolean => {
  if (label === undefined || label === '' || value === '') return false;
  const [a, b] = [label.toLowerCase(), value.toLowerCase()];
  return a.startsWith(b) || b.startsWith(a);
};

const readyReason = ({ status }: Pod): string => {
  const waiting = (status.containerStatuses ?? []).find(({ ready }) => !ready);
  if (waiting === undefined) return '';
  const reason = waiting.state?.waiting?.reason;
  return `: container "${waiting.name}"${reason === undefined ? '' : ` waits: ${reason}`}`;
};

const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ');
