import { bytesOf, canonicalQuantity, formatBytes, parseQuantity } from '../../api/quantity';

/** What is watched. Names, defaults and rules are upstream's: pkg/kubelet/eviction/{api/types,helpers}.go. */
export const SIGNALS = [
  'memory.available',
  /** Of what pods may have together; follows the hard threshold of `memory.available`. */
  'allocatableMemory.available',
  'nodefs.available',
  'nodefs.inodesFree',
  'imagefs.available',
  'imagefs.inodesFree',
  'pid.available',
] as const;
export type Signal = (typeof SIGNALS)[number];

export type NodePressure = 'MemoryPressure' | 'DiskPressure' | 'PIDPressure';

/** What a pod can be asked for. */
export type StarvedResource = 'memory' | 'ephemeral-storage' | 'inodes' | 'pids';

/** So much, or a share of all that there is. */
export type Amount = { readonly value: number; readonly text: string } | { readonly share: number };

export interface Threshold {
  readonly signal: Signal;
  /** Met when less than this is there. */
  readonly amount: Amount;
  /** Undefined: a hard one, met at once. */
  readonly graceMs?: number;
  /** So much beyond `amount` must be there again. */
  readonly minReclaim?: Amount;
}

/** As the agent is told them. */
export interface ThresholdConfig {
  readonly evictionHard: Readonly<Record<string, string>>;
  readonly evictionSoft: Readonly<Record<string, string>>;
  readonly evictionSoftGracePeriodMs: Readonly<Record<string, number>>;
  readonly evictionMinimumReclaim: Readonly<Record<string, string>>;
}

/** @throws Error in upstream's words */
export const parseThresholds = (config: ThresholdConfig): readonly Threshold[] => {
  const reclaims = new Map(
    Object.entries(config.evictionMinimumReclaim).map(([signal, text]) => [
      checkSignal(signal),
      parseAmount(text),
    ]),
  );
  const of = (given: Readonly<Record<string, string>>) =>
    Object.entries(given).flatMap(([name, text]): Threshold[] => {
      const signal = checkSignal(name);
      const minReclaim = reclaims.get(signal);
      // Either end of the scale switches a threshold off.
      if (text === '0%' || text === '100%') return [];
      const amount = parseAmount(text);
      return [{ signal, amount, ...(minReclaim === undefined ? {} : { minReclaim }) }];
    });
  const hard = of(config.evictionHard);
  const soft = of(config.evictionSoft).map((threshold) => {
    const graceMs = config.evictionSoftGracePeriodMs[threshold.signal];
    if (graceMs === undefined)
      throw new Error(
        `grace period must be specified for the soft eviction threshold ${threshold.signal}`,
      );
    return { ...threshold, graceMs };
  });
  for (const [signal, graceMs] of Object.entries(config.evictionSoftGracePeriodMs)) {
    checkSignal(signal);
    if (graceMs < 0) throw new Error(`invalid eviction grace period specified: ${signal}`);
  }
  const ofPods = hard
    .filter(({ signal }) => signal === 'memory.available')
    .map((threshold) => ({ ...threshold, signal: 'allocatableMemory.available' as const }));
  return [...hard, ...soft, ...ofPods];
};

/** In the signal's unit, of what there is in all. */
export const amountOf = (amount: Amount, capacity: number): number =>
  'share' in amount ? Math.trunc(capacity * amount.share) : amount.value;

/** As upstream prints it. */
export const formatAmount = (amount: Amount, capacity: number): string =>
  'share' in amount ? formatBytes(amountOf(amount, capacity)) : amount.text;

export const pressureOf = (signal: Signal): NodePressure => {
  if (signal.endsWith('emory.available')) return 'MemoryPressure';
  return signal === 'pid.available' ? 'PIDPressure' : 'DiskPressure';
};

export const resourceOf = (signal: Signal): StarvedResource => {
  if (signal.endsWith('emory.available')) return 'memory';
  if (signal === 'pid.available') return 'pids';
  return signal.endsWith('inodesFree') ? 'inodes' : 'ephemeral-storage';
};

/** What the hard thresholds keep from pods; source: upstream's hardEvictionReservation. */
export const reservedByThresholds = (
  thresholds: readonly Threshold[],
  signal: Signal,
  capacity: number,
): number =>
  Math.max(
    0,
    ...thresholds
      .filter((threshold) => threshold.signal === signal && threshold.graceMs === undefined)
      .map(({ amount }) => amountOf(amount, capacity)),
  );

/** Where nobody says otherwise. Source: upstream's defaults_linux.go. */
export const DEFAULT_EVICTION_HARD: Readonly<Record<string, string>> = {
  'memory.available': '100Mi',
  'nodefs.available': '10%',
  'nodefs.inodesFree': '5%',
  'imagefs.available': '15%',
  'imagefs.inodesFree': '5%',
};

/** What a condition is called while all is well, and while it is not; after `Kubelet` and `Node`. */
export const CONDITION_WORDS: Readonly<Record<NodePressure, readonly [string, string]>> = {
  MemoryPressure: ['HasSufficientMemory', 'HasInsufficientMemory'],
  DiskPressure: ['HasNoDiskPressure', 'HasDiskPressure'],
  PIDPressure: ['HasSufficientPID', 'HasInsufficientPID'],
};

const checkSignal = (name: string): Signal => {
  const signal = SIGNALS.find((each) => each === name);
  if (signal === undefined || signal === 'allocatableMemory.available')
    throw new Error(`unsupported eviction signal ${name}`);
  return signal;
};

const parseAmount = (text: string): Amount => {
  if (text.endsWith('%')) {
    const share = Number(text.slice(0, -1)) / 100;
    if (text === '%' || !Number.isFinite(share)) throw new Error(`"${text}" is not a percentage`);
    if (share < 0) throw new Error(`eviction percentage threshold must be >= 0%: ${text}`);
    if (share > 1) throw new Error(`eviction percentage threshold must be <= 100%: ${text}`);
    return { share };
  }
  if (parseQuantity(text).nanos < 0n)
    throw new Error(`eviction threshold must be positive: ${text}`);
  return { value: bytesOf(text), text: canonicalQuantity(text) };
};
