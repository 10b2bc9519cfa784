import type { CertificateLife } from '../../lib/certificate-life';

export interface RenewalRule {
  /** How long a new certificate is good. */
  readonly lifeMs: number;
  /** The share of that at which the next one is due. */
  readonly leftShare: number;
  /** When the authority ends: what it signs does not outlive it. */
  readonly authorityUntilMs: number;
}

/** When a certificate that is signed now ends. */
export const nextUntilMs = (
  nowMs: number,
  { lifeMs, authorityUntilMs }: Pick<RenewalRule, 'lifeMs' | 'authorityUntilMs'>,
): number => Math.min(nowMs + lifeMs, authorityUntilMs);

/**
 * Is it time for the next one? Not by when the certificate began, which says nothing of its life,
 * and not when the next would end no later: near its own end the authority has nothing to give.
 */
export const isDue = (untilMs: number, nowMs: number, rule: RenewalRule): boolean =>
  untilMs - nowMs < rule.lifeMs * rule.leftShare && nextUntilMs(nowMs, rule) > untilMs;

/** `early`: the clock says a time before the authority was made, and so do all certificates seem to it. */
export type AuthorityState = 'good' | 'ending' | 'ended' | 'early';

export const authorityStateOf = (
  { fromMs, untilMs }: CertificateLife,
  nowMs: number,
): AuthorityState => {
  if (nowMs < fromMs) return 'early';
  if (nowMs >= untilMs) return 'ended';
  return untilMs - nowMs < AUTHORITY_NOTICE_MS ? 'ending' : 'good';
};

const AUTHORITY_NOTICE_MS = 90 * 24 * 3_600_000;
