import { createHash, X509Certificate } from 'node:crypto';

/** SHA-256 of a certificate's SubjectPublicKeyInfo, in hex: what stays when it is signed anew. */
export const publicKeyHashOf = (certificate: string | Buffer): string =>
  createHash('sha256')
    .update(new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
