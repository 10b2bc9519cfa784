import { parseQuantity, quantityValue } from './quantity';

export const INGRESS_BANDWIDTH = 'kubernetes.io/ingress-bandwidth';
export const EGRESS_BANDWIDTH = 'kubernetes.io/egress-bandwidth';

/** What a pod may receive and send, in bits a second; undefined: all that it can. */
export interface PodBandwidth {
  readonly ingressBitsPerSecond?: number;
  readonly egressBitsPerSecond?: number;
}

/**
 * What annotations ask for. @see upstream's pkg/util/bandwidth/utils.go
 * @throws Error in upstream's words when a value is no quantity, or not between 1k and 1P
 */
export const bandwidthOf = (annotations: Readonly<Record<string, string>> = {}): PodBandwidth => {
  const ingress = bitsOf(annotations[INGRESS_BANDWIDTH]);
  const egress = bitsOf(annotations[EGRESS_BANDWIDTH]);
  return {
    ...(ingress === undefined ? {} : { ingressBitsPerSecond: ingress }),
    ...(egress === undefined ? {} : { egressBitsPerSecond: egress }),
  };
};

/** Of these, what is said of bandwidth: for whoever has to remember it as it was. */
export const bandwidthAnnotations = (
  annotations: Readonly<Record<string, string>> = {},
): Record<string, string> =>
  Object.fromEntries(
    [INGRESS_BANDWIDTH, EGRESS_BANDWIDTH].flatMap((key) => {
      const value = annotations[key];
      return value === undefined ? [] : [[key, value]];
    }),
  );

const bitsOf = (text: string | undefined): number | undefined => {
  if (text === undefined) return undefined;
  const bits = quantityValue(parseQuantity(text));
  if (bits < MIN_BITS) throw new Error('resource is unreasonably small (< 1kbit)');
  if (bits > MAX_BITS) throw new Error('resource is unreasonably large (> 1Pbit)');
  return Number(bits);
};

const MIN_BITS = 1_000n;
const MAX_BITS = 1_000_000_000_000_000n;
