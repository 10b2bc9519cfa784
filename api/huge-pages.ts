import { formatBytes, parseQuantity, quantityValue } from './quantity';
import { isHugePages } from './resource-names';

const RESOURCE = 'hugepages-';
const MEDIUM = 'HugePages';
const NANOS = 1_000_000_000n;

/** Whole bytes, as one page has; undefined for all other texts. */
const sizeOf = (text: string): number | undefined => {
  try {
    const { nanos } = parseQuantity(text);
    const bytes = nanos / NANOS;
    return nanos > 0n && nanos % NANOS === 0n && bytes <= MAX_BYTES ? Number(bytes) : undefined;
  } catch {
    return undefined;
  }
};

/** Of `hugepages-2Mi`: how large one page is; undefined when the name says no size. */
export const pageBytesOf = (resource: string): number | undefined =>
  isHugePages(resource) ? sizeOf(resource.slice(RESOURCE.length)) : undefined;

/** How pages of that size are asked for. */
export const hugePagesOf = (pageBytes: number): string => `${RESOURCE}${formatBytes(pageBytes)}`;

/** There is no half of a page. Source: upstream's IsHugePageResourceValueDivisible. */
export const isWholePages = (resource: string, amount: string): boolean => {
  const pageBytes = pageBytesOf(resource);
  if (pageBytes === undefined) return false;
  return quantityValue(parseQuantity(amount)) % BigInt(pageBytes) === 0n;
};

/** Is a volume of that medium made of huge pages? */
export const isHugePageMedium = (medium: string | undefined): boolean =>
  medium === MEDIUM || medium?.startsWith(`${MEDIUM}-`) === true;

/** Of `HugePages-2Mi`; undefined where the pod's own pages say it: `HugePages`. @throws Error */
export const pageBytesOfMedium = (medium: string): number | undefined => {
  if (medium === MEDIUM) return undefined;
  const pageBytes = sizeOf(medium.slice(MEDIUM.length + 1));
  if (pageBytes === undefined) throw new Error(`unknown storage medium "${medium}"`);
  return pageBytes;
};

const MAX_BYTES = BigInt(Number.MAX_SAFE_INTEGER);
