import { X509Certificate } from 'node:crypto';

/** From when until when a certificate is good, on the wall clocks of those who look at it. */
export interface CertificateLife {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** @throws Error when `pem` is no certificate. */
export const certificateLifeOf = (pem: string): CertificateLife => {
  const { validFrom, validTo } = new X509Certificate(pem);
  return { fromMs: Date.parse(validFrom), untilMs: Date.parse(validTo) };
};
