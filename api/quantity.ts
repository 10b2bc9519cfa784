/** How a quantity was written, and so how it prints. */
export type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent';

/** An exact amount of a resource. `nanos` counts billionths, the finest unit the API keeps. */
export interface Quantity {
  readonly nanos: bigint;
  readonly format: QuantityFormat;
  /** The text said more than 2^63-1: this is that much. */
  readonly isCapped?: true;
}

/** The text is no quantity. `message` is the API's wording. */
export class QuantityError extends Error {
  override readonly name = 'QuantityError';
}

/**
 * Reads `100m`, `1.5Gi`, `64e6`, ... exactly. Finer than a billionth rounds away from zero; more
 * than 2^63-1 is capped there, so that nothing ever prints as a smaller number.
 * @throws QuantityError
 */
export const parseQuantity = (text: string | number): Quantity => {
  const { negative, whole, fraction, suffix } = split(String(text));
  const { base, exponent, format } = interpretSuffix(suffix);
  const digits = BigInt(whole + fraction);
  if (digits === 0n) return { nanos: 0n, format };
  // Far out of range either way; raising ten to such a power would only burn memory.
  if (exponent > EXPONENT_MAX)
    return { nanos: negative ? -MAX_NANOS : MAX_NANOS, format, isCapped: true };
  const magnitude =
    base === 2
      ? divideUp(digits * NANOS * 2n ** BigInt(exponent), 10n ** BigInt(fraction.length))
      : scaleByTen(digits, exponent - fraction.length + 9);
  const capped = magnitude > MAX_NANOS ? MAX_NANOS : magnitude;
  return {
    nanos: negative ? -capped : capped,
    format: format === 'BinarySI' && capped < NANOS ? 'DecimalSI' : format,
    ...(capped < magnitude ? { isCapped: true } : {}),
  };
};

/** The canonical text: the largest suffix that leaves no fraction. */
export const formatQuantity = ({ nanos, format }: Quantity): string => {
  if (nanos === 0n) return '0';
  const isSmall = nanos > -1024n * NANOS && nanos < 1024n * NANOS;
  return format === 'BinarySI' && !isSmall && nanos % NANOS === 0n
    ? formatBinary(nanos / NANOS)
    : formatDecimal(nanos, format === 'DecimalExponent');
};

/** The same amount in canonical form: `0.1` is `100m`, `1024Mi` is `1Gi`. @throws QuantityError */
export const canonicalQuantity = (text: string | number): string =>
  formatQuantity(parseQuantity(text));

/** Whole units, rounded up, as the API does where it needs an integer. */
export const quantityValue = ({ nanos }: Quantity): bigint =>
  nanos >= 0n ? divideUp(nanos, NANOS) : nanos / NANOS;

/** Thousandths, rounded up. Thousandths of the largest quantity still fit a bigint. */
export const quantityMillis = ({ nanos }: Quantity): bigint =>
  nanos >= 0n ? divideUp(nanos, 1_000_000n) : nanos / 1_000_000n;

/** CPU in millicores. Exact below 2^53. Absent counts as none. @throws QuantityError */
export const cpuMillisOf = (text: string | number | undefined): number =>
  text === undefined ? 0 : Number(quantityMillis(parseQuantity(text)));

/** Memory or storage in bytes, or a plain count. Exact below 2^53. @throws QuantityError */
export const bytesOf = (text: string | number | undefined): number =>
  text === undefined ? 0 : Number(quantityValue(parseQuantity(text)));

/** Below zero, zero or above zero as `a` is less than, equal to or more than `b`. */
export const compareQuantities = (a: Quantity, b: Quantity): number =>
  a.nanos < b.nanos ? -1 : a.nanos > b.nanos ? 1 : 0;

/** Millicores as a canonical CPU quantity. */
export const formatCpuMillis = (millis: number | bigint): string =>
  formatQuantity({ nanos: wholeOf(millis) * 1_000_000n, format: 'DecimalSI' });

/** Bytes as a canonical memory quantity. */
export const formatBytes = (bytes: number | bigint): string =>
  formatQuantity({ nanos: wholeOf(bytes) * NANOS, format: 'BinarySI' });

const wholeOf = (amount: number | bigint): bigint =>
  typeof amount === 'bigint' ? amount : BigInt(Math.round(amount));

/** Bytes for a person: the canonical quantity where it is short, else two decimals of a large unit. */
export const approximateBytes = (
  amount: number | bigint,
  round: (value: number) => number,
): string => {
  const exact = formatBytes(amount);
  if (exact.length <= SHORT_LENGTH) return exact;
  const bytes = Number(amount);
  const power = Math.min(BINARY.length - 1, Math.floor(Math.log2(Math.abs(bytes)) / 10));
  return `${round((bytes / 1024 ** power) * 100) / 100}${BINARY[power] ?? ''}`;
};

const SHORT_LENGTH = 6;
const NANOS = 1_000_000_000n;
const MAX_NANOS = (2n ** 63n - 1n) * NANOS;
const EXPONENT_MAX = 64;
const EXPONENT_MIN = -64;
const TEXT_LENGTH_MAX = 256;

const WRONG_FORMAT =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const WRONG_SUFFIX = "unable to parse quantity's suffix";
const PATTERN = /^([+-]?)(\d*)(?:\.(\d*))?([eEinumkKMGTP]*[-+]?\d*)$/;

const DECIMAL = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'];
const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];

const split = (text: string) => {
  const match = text.length <= TEXT_LENGTH_MAX ? PATTERN.exec(text) : null;
  if (match === null) throw new QuantityError(WRONG_FORMAT);
  const [, sign, whole = '', fraction = '', suffix = ''] = match;
  if (whole === '' && fraction === '') throw new QuantityError(WRONG_FORMAT);
  return { negative: sign === '-', whole, fraction, suffix };
};

const interpretSuffix = (
  suffix: string,
): { base: 2 | 10; exponent: number; format: QuantityFormat } => {
  const decimal = DECIMAL.indexOf(suffix);
  if (decimal >= 0) return { base: 10, exponent: (decimal - 3) * 3, format: 'DecimalSI' };
  const binary = BINARY.indexOf(suffix);
  if (binary >= 0) return { base: 2, exponent: binary * 10, format: 'BinarySI' };
  // `E` alone is exa; `E6` and `e6` are powers of ten.
  if (/^[eE][-+]?\d+$/.test(suffix)) {
    return { base: 10, exponent: Number(suffix.slice(1)), format: 'DecimalExponent' };
  }
  throw new QuantityError(WRONG_SUFFIX);
};

const divideUp = (value: bigint, by: bigint): bigint => (value + by - 1n) / by;

const scaleByTen = (digits: bigint, exponent: number): bigint => {
  if (exponent >= 0) return digits * 10n ** BigInt(exponent);
  return exponent < EXPONENT_MIN - TEXT_LENGTH_MAX
    ? 1n
    : divideUp(digits, 10n ** BigInt(-exponent));
};

const formatBinary = (value: bigint): string => {
  let rest = value;
  let power = 0;
  while (rest % 1024n === 0n && power < BINARY.length - 1) {
    rest /= 1024n;
    power++;
  }
  return `${rest}${BINARY[power]}`;
};

const formatDecimal = (nanos: bigint, asExponent: boolean): string => {
  let rest = nanos;
  let power = 0;
  while (rest % 1000n === 0n && power < DECIMAL.length - 1) {
    rest /= 1000n;
    power++;
  }
  const exponent = (power - 3) * 3;
  if (!asExponent) return `${rest}${DECIMAL[power]}`;
  return exponent === 0 ? `${rest}` : `${rest}e${exponent}`;
};
