import { createHash, X509Certificate } from 'node:crypto';
import { publicKeyHashOf } from './public-key';

/** The certificates in a PEM. @throws Error when one of them is none */
export const certificatesIn = (pem: string): readonly X509Certificate[] =>
  (pem.match(CERTIFICATE) ?? []).map((each) => new X509Certificate(each));

/** By the key alone: whatever the age of both. @throws as `certificatesIn` */
export const isSignedByOneOf = (certificate: X509Certificate, bundle: string): boolean =>
  certificatesIn(bundle).some(({ publicKey }) => certificate.verify(publicKey));

/** The same for the same certificates in any order. @throws as `certificatesIn` */
export const bundleHashOf = (bundle: string): string => {
  const fingerprints = certificatesIn(bundle).map(({ fingerprint256 }) => fingerprint256);
  return createHash('sha256').update(fingerprints.sort().join()).digest('hex').slice(0, 32);
};

/** As `publicKeyHashOf`, of each. @throws as `certificatesIn` */
export const keyHashesIn = (bundle: string): readonly string[] =>
  certificatesIn(bundle).map((each) => publicKeyHashOf(each.toString()));

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
