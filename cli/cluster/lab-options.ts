import { bandwidthOf, EGRESS_BANDWIDTH } from '../../api/bandwidth';
import { LAB_SERVER, type LabSlowness } from '../../runtime/network/lab-faults';
import { durationMs } from '../durations';
import { UsageError } from '../usage-error';
import type { Fault } from './faults';
import { sizeBytes } from './node-disk';

export interface SlowFlags {
  readonly delay?: string;
  readonly jitter?: string;
  readonly loss?: string;
  readonly rate?: string;
}

/** Pure. @throws UsageError naming the flag */
export const slownessOf = ({ delay, jitter, loss, rate }: SlowFlags): LabSlowness => {
  if (jitter !== undefined && delay === undefined)
    throw new UsageError('--jitter is of a delay: give --delay as well');
  if (delay === undefined && loss === undefined && rate === undefined)
    throw new UsageError('say how slow: --delay, --loss or --rate');
  return {
    ...(delay === undefined ? {} : { delayMs: milliseconds('--delay', delay, MAX_DELAY_MS) }),
    ...(jitter === undefined ? {} : { jitterMs: milliseconds('--jitter', jitter, MAX_DELAY_MS) }),
    ...(loss === undefined ? {} : { lossPercent: percent(loss) }),
    ...(rate === undefined ? {} : { bitsPerSecond: bits(rate) }),
  };
};

/** Pure. How long a fault is to last. @throws UsageError */
export const forMsOf = (flag: string, text: string | undefined): number | undefined =>
  text === undefined ? undefined : milliseconds(flag, text, MAX_FOR_MS);

/** Pure. @throws UsageError where it names what is not of the cluster, or the node itself */
export const partitionOf = (
  nodes: readonly string[],
  known: readonly string[],
  from: readonly string[] | undefined,
): Fault => {
  for (const other of from ?? []) {
    if (other !== LAB_SERVER && !known.includes(other))
      throw new UsageError(
        `--from: "${other}" is neither ${LAB_SERVER} nor one of ${known.join(', ')}`,
      );
    if (nodes.includes(other)) throw new UsageError(`--from: ${other} is not cut off from itself`);
  }
  return { kind: 'partition', ...(from === undefined || from.length === 0 ? {} : { from }) };
};

/** Pure. @throws UsageError */
export const fillOf = (leave: string): Fault => {
  const leaveBytes = sizeBytes('--leave', leave);
  return { kind: 'fill-disk', leaveBytes };
};

const milliseconds = (flag: string, text: string, maxMs: number): number => {
  const ms = durationMs(flag, text);
  if (ms >= 1 && ms <= maxMs) return Math.round(ms);
  throw new UsageError(`${flag}: ${text} is not between 1ms and ${maxMs / 1000}s`);
};

const percent = (text: string): number => {
  const [, number] = /^(\d{1,3}(?:\.\d{1,2})?)%?$/.exec(text) ?? [];
  const value = Number(number);
  if (number !== undefined && value > 0 && value <= 100) return value;
  throw new UsageError(`--loss: "${text}" is not a share such as 5% or 0.25%, at most 100%`);
};

/** As the annotations of pods have it. */
const bits = (text: string): number => {
  try {
    const { egressBitsPerSecond } = bandwidthOf({ [EGRESS_BANDWIDTH]: text });
    if (egressBitsPerSecond !== undefined) return egressBitsPerSecond;
  } catch {
    // Said below.
  }
  throw new UsageError(`--rate: "${text}" is not bits a second such as 64k or 1M, at least 1k`);
};

const MAX_DELAY_MS = 60_000;
const MAX_FOR_MS = 24 * 3600 * 1000;
