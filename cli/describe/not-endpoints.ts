import { notEndpointsOf } from '../../api/not-endpoints';
import type { Pod, Service } from '../../api/types';
import type { DescribeWriter } from './writer';

/** Which pods look like ones behind the Service, and why each is not. */
export const describeNotEndpoints = (
  writer: DescribeWriter,
  service: Service,
  pods: readonly Pod[],
): void => {
  const all = notEndpointsOf(service, pods);
  if (all.length === 0) return;
  writer.heading(0, 'Pods that get no new connections');
  for (const { pod, reason } of all.slice(0, PODS_MAX)) writer.field(1, pod.metadata.name, reason);
  if (all.length > PODS_MAX) writer.field(1, 'More', all.length - PODS_MAX);
};

const PODS_MAX = 50;
