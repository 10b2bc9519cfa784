import { amountsOf, type ResourceAmounts } from '../../api/pods';
import { parseQuantity } from '../../api/quantity';
import { reservedByThresholds, type Threshold } from '../eviction/thresholds';

/** What one may reserve. Source: upstream's parseResourceList of cmd/kubelet/app/server.go. */
const RESERVABLE = ['cpu', 'memory', 'ephemeral-storage', 'pid'];

export const problemOfReservation = (name: string, text: string): string | undefined => {
  if (!RESERVABLE.includes(name)) return `cannot reserve "${name}" resource`;
  try {
    if (parseQuantity(text).nanos >= 0n) return undefined;
    return `resource quantity for "${name}" cannot be negative: ${text}`;
  } catch {
    return `failed to parse quantity "${text}" for "${name}" resource`;
  }
};

interface Reservations {
  readonly systemReserved: Readonly<Record<string, string>>;
  readonly kubeReserved: Readonly<Record<string, string>>;
}

export type Reserved = Pick<ResourceAmounts, 'cpuMillis' | 'memoryBytes' | 'ephemeralStorageBytes'>;

const reservedOf = ({ systemReserved, kubeReserved }: Reservations): Reserved => {
  const [a, b] = [amountsOf(systemReserved), amountsOf(kubeReserved)];
  return {
    cpuMillis: a.cpuMillis + b.cpuMillis,
    memoryBytes: a.memoryBytes + b.memoryBytes,
    ephemeralStorageBytes: a.ephemeralStorageBytes + b.ephemeralStorageBytes,
  };
};

/** Pure: what all pods together may have. */
export const podsShareOf = (
  capacity: { readonly cpuMillis: number; readonly memoryBytes: number },
  reservations: Reservations,
) => {
  const { cpuMillis, memoryBytes } = reservedOf(reservations);
  return {
    cpuMillis: Math.max(0, capacity.cpuMillis - cpuMillis),
    memoryBytes: Math.max(0, capacity.memoryBytes - memoryBytes),
  };
};

/** Pure: what the scheduler must leave free: also what the eviction of pods would begin at. */
export const unallocatableOf = (
  reservations: Reservations,
  thresholds: readonly Threshold[],
  capacity: { readonly memoryBytes: number; readonly diskBytes: number },
): Reserved => {
  const { cpuMillis, memoryBytes, ephemeralStorageBytes } = reservedOf(reservations);
  const kept = (signal: 'memory.available' | 'nodefs.available', all: number) =>
    reservedByThresholds(thresholds, signal, all);
  return {
    cpuMillis,
    memoryBytes: memoryBytes + kept('memory.available', capacity.memoryBytes),
    ephemeralStorageBytes: ephemeralStorageBytes + kept('nodefs.available', capacity.diskBytes),
  };
};
