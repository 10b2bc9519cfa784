/**
 * The context of a sampled span, as W3C Trace Context writes it: `00-<trace>-<span>-01`. Of other
 * versions only those first four fields are read. Source: W3C Trace Context, section 3.2.
 */
export interface TraceContext {
  /** 32 hexadecimal digits, not all 0. */
  readonly traceId: string;
  /** 16 hexadecimal digits, not all 0. */
  readonly spanId: string;
  readonly isSampled: boolean;
}

/** Undefined for what is no such header: as the standard says, it is as if there were none. */
export const parseTraceparent = (text: string | undefined): TraceContext | undefined => {
  if (text === undefined || text.length > LENGTH_MAX) return undefined;
  const [, version, traceId = '', spanId = '', flags = '', more] = FORM.exec(text) ?? [];
  if (version === undefined || version === 'ff') return undefined;
  if (version === '00' && more !== undefined) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, isSampled: (parseInt(flags, 16) & SAMPLED) !== 0 };
};

export const formatTraceparent = ({ traceId, spanId, isSampled }: TraceContext): string =>
  `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`;

const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const SAMPLED = 1;
/** Later versions may say more, but not without end. */
const LENGTH_MAX = 512;
