import {
  ENDPOINTS_CONTROLLER,
  ENDPOINTS_MANAGED_BY_LABEL,
  HEADLESS_LABEL,
  LAST_CHANGE_TRIGGER_TIME,
  OVER_CAPACITY,
} from '../../../api/endpoint-slices';
import { jsonEqual } from '../../../api/json-value';
import { isPodReady } from '../../../api/pods';
import {
  addressesOf,
  addressTypesOf,
  endpointPortsOf,
  hostnameOf,
  isHeadless,
  isOfType,
  isPublishedAnyway,
  mayBeEndpoint,
} from '../../../api/service-endpoints';
import type { Endpoints, Pod, Service } from '../../../api/types';
import { repack, truncate, type Address, type Subset } from './subsets';

/**
 * The Endpoints of the Service as they are to be written, or undefined when they are so already. Pods
 * that are going count only where those that are not ready do, and of two families the first counts.
 * Source: upstream's endpoints_controller.go.
 */
export const planEndpoints = (
  service: Service,
  pods: readonly Pod[],
  current: Endpoints | undefined,
  triggerTime: string | undefined,
): Endpoints | undefined => {
  const all = repack(pods.flatMap((pod) => subsetsOf(service, pod)));
  const subsets = truncate(all, CAPACITY);
  const isOver = subsets !== all;
  const labels = labelsOf(service);
  const { annotations = {} } = current?.metadata ?? {};
  const isSame =
    current !== undefined &&
    jsonEqual(current.subsets ?? [], subsets) &&
    jsonEqual(current.metadata.labels ?? {}, labels) &&
    annotations[OVER_CAPACITY] === (isOver ? TRUNCATED : undefined);
  if (isSame) return undefined;
  const { [OVER_CAPACITY]: _cut, [LAST_CHANGE_TRIGGER_TIME]: _time, ...others } = annotations;
  const { namespace = '', name } = service.metadata;
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: {
      ...(current?.metadata ?? { namespace, name }),
      labels,
      annotations: {
        ...others,
        ...(triggerTime === undefined ? {} : { [LAST_CHANGE_TRIGGER_TIME]: triggerTime }),
        ...(isOver ? { [OVER_CAPACITY]: TRUNCATED } : {}),
      },
    },
    subsets,
  };
};

const labelsOf = (service: Service): Readonly<Record<string, string>> => {
  const { [HEADLESS_LABEL]: _headless, ...labels } = service.metadata.labels ?? {};
  return {
    ...labels,
    ...(isHeadless(service) ? { [HEADLESS_LABEL]: '' } : {}),
    [ENDPOINTS_MANAGED_BY_LABEL]: ENDPOINTS_CONTROLLER,
  };
};

const subsetsOf = (service: Service, pod: Pod): readonly Subset[] => {
  const address = addressOf(service, pod);
  if (address === undefined || !mayBeEndpoint(pod, isPublishedAnyway(service))) return [];
  const isReady = isPublishedAnyway(service) || isPodReady(pod);
  const reached = isReady ? { addresses: [address] } : { notReadyAddresses: [address] };
  if ((service.spec?.ports ?? []).length === 0)
    return service.spec?.clusterIP === 'None' ? [reached] : [];
  return endpointPortsOf(service, pod).map(({ name = '', port, protocol, appProtocol }) => ({
    ...reached,
    ports: [
      {
        ...(name === '' ? {} : { name }),
        port: port ?? 0,
        ...(protocol === undefined ? {} : { protocol }),
        ...(appProtocol === undefined ? {} : { appProtocol }),
      },
    ],
  }));
};

const addressOf = (service: Service, pod: Pod): Address | undefined => {
  const [type = 'IPv4'] = addressTypesOf(service);
  const ip = addressesOf(pod).find((each) => isOfType(each, type));
  if (ip === undefined) return undefined;
  const { namespace = '', name, uid = '' } = pod.metadata;
  const hostname = hostnameOf(pod, service);
  return {
    ip,
    ...(hostname === undefined ? {} : { hostname }),
    ...((pod.spec.nodeName ?? '') === '' ? {} : { nodeName: pod.spec.nodeName }),
    targetRef: { kind: 'Pod', namespace, name, uid },
  };
};

/** Upstream's maxCapacity. */
export const CAPACITY = 1000;
const TRUNCATED = 'truncated';
