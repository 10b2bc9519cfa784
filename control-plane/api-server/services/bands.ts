import { addressAt, type PortRange } from '../../../api/cluster-network';
import { holds } from '../../../api/service-cidrs';
import { parseIp, widthOf, type IpPrefix } from '../../../lib/net/ip';
import type { Random } from '../../../lib/random';

/**
 * What is handed out by itself comes from the upper part of a range as long as there is any, so that the
 * lower part is likely to be free for who asks for one by name. Sources: KEP-3070, KEP-3668.
 */
export interface Numbers<T> {
  /** Numbered from 0. */
  readonly count: number;
  /** How many, from the first, are handed out last. */
  readonly lowerCount: number;
  readonly at: (index: number) => T;
}

/** All but the first of a range, and but the last where that would be a broadcast. */
export const addressesOf = (range: IpPrefix): Numbers<string> => {
  const size = 2 ** (widthOf(range.address) - range.length);
  return {
    count: size - (range.address.family === 4 ? 2 : 1),
    lowerCount: Math.max(0, lowerBand(size, ADDRESSES) - 1),
    at: (index) => addressAt(range, index + 1),
  };
};

export const portsOf = ({ first, last }: PortRange): Numbers<number> => {
  const count = last - first + 1;
  return { count, lowerCount: lowerBand(count, PORTS), at: (index) => first + index };
};

/** One that is not used, any of the upper band, or of the lower when that is all there is. */
export const anyFree = <T>(
  numbers: Numbers<T>,
  isUsed: (number: T) => boolean,
  random: Random,
): T | undefined =>
  freeBetween(numbers, numbers.lowerCount, numbers.count, isUsed, random) ??
  freeBetween(numbers, 0, numbers.lowerCount, isUsed, random);

/** Is it an address that a service may have? */
export const isWithin = (range: IpPrefix, text: string): boolean => {
  const address = parseIp(text);
  return typeof address !== 'string' && holds(range, address);
};

const freeBetween = <T>(
  { at }: Numbers<T>,
  from: number,
  to: number,
  isUsed: (number: T) => boolean,
  random: Random,
): T | undefined => {
  const count = to - from;
  const start = Math.floor(random.next() * count);
  for (let tried = 0; tried < count; tried++) {
    const number = at(from + ((start + tried) % count));
    if (!isUsed(number)) return number;
  }
  return undefined;
};

interface Steps {
  readonly min: number;
  readonly max: number;
  readonly step: number;
}

const lowerBand = (size: number, { min, max, step }: Steps): number =>
  size <= min ? 0 : Math.min(Math.max(min, Math.floor(size / step)), max);

const ADDRESSES: Steps = { min: 16, max: 256, step: 16 };
const PORTS: Steps = { min: 16, max: 128, step: 32 };
