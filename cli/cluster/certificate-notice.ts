import { certificateLifeOf } from '../../lib/certificate-life';

/**
 * What is to be said of a cluster whose certificate authority, which nothing renews, is about to end;
 * undefined as long as that is far away.
 */
export const authorityNotice = (caCertificate: string, nowMs: number): string | undefined => {
  const { fromMs, untilMs } = certificateLifeOf(caCertificate);
  const daysLeft = Math.floor((untilMs - nowMs) / DAY_MS);
  if (nowMs < fromMs) return 'its CA is of the future: set the clock';
  if (nowMs >= untilMs) return 'its CA has ended';
  return daysLeft < NOTICE_DAYS ? `its CA ends in ${daysLeft} days` : undefined;
};

const DAY_MS = 24 * 3_600_000;
const NOTICE_DAYS = 90;
