import { quantitiesOf } from '../../api/amounts';
import { exactRequests } from '../../api/pod-resources';
import type { ResourceAmounts } from '../../api/pods';
import { quantityMillis, quantityValue, type Quantity } from '../../api/quantity';
import type { NodeView } from './node-info';
import type { PodInfo } from './pod-info';
import { ownAmount } from './plugins/resource-allocation';

/**
 * Amounts for people, in thousandths for cpu, in whole units for all else. Rules compare numbers, which
 * from 2^53 on are not exact: then what the objects say is read and added up once more.
 */
export const exactRequest = (info: PodInfo, resource: string): bigint =>
  exactly(numberIn(info.requests, resource), () => exactRequests(info.pod).get(resource), resource);

export const exactAllocatable = (node: NodeView, resource: string): bigint =>
  exactly(
    numberIn(node.allocatable, resource),
    () => quantitiesOf(node.node.status.allocatable).get(resource),
    resource,
  );

/** Of all its pods. */
export const exactRequested = (node: NodeView, resource: string): bigint => {
  const sum = requestedOf(node, resource);
  if (Number.isSafeInteger(sum)) return BigInt(sum);
  return [...node.pods.values()].reduce((all, info) => all + exactRequest(info, resource), 0n);
};

const exactly = (amount: number, read: () => Quantity | undefined, resource: string): bigint => {
  if (Number.isSafeInteger(amount)) return BigInt(amount);
  const quantity = read();
  if (quantity === undefined) return BigInt(Math.round(amount));
  return resource === 'cpu' ? quantityMillis(quantity) : quantityValue(quantity);
};

const numberIn = (amounts: ResourceAmounts, resource: string): number => {
  switch (resource) {
    case 'cpu':
      return amounts.cpuMillis;
    case 'memory':
      return amounts.memoryBytes;
    case 'ephemeral-storage':
      return amounts.ephemeralStorageBytes;
    default:
      return ownAmount(amounts.others, resource);
  }
};

const requestedOf = (node: NodeView, resource: string): number => {
  switch (resource) {
    case 'cpu':
      return node.requestedCpuMillis;
    case 'memory':
      return node.requestedMemoryBytes;
    case 'ephemeral-storage':
      return node.requestedStorageBytes;
    default:
      return node.requestedOther(resource);
  }
};
