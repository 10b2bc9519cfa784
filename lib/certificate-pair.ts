import { createSecureContext, type SecureContext } from 'node:tls';
import { describeError } from './describe-error';

/** What is shown by a certificate and its key, or why they show nothing, in words. */
export type CertificatePair = { readonly context: SecureContext } | { readonly problem: string };

/** Pure: of the base64 texts of a secret of type `kubernetes.io/tls`. */
export const certificatePairIn = (data: Readonly<Record<string, string>> = {}): CertificatePair => {
  const [cert, key] = ['tls.crt', 'tls.key'].map((name) => Buffer.from(data[name] ?? '', 'base64'));
  if (cert === undefined || cert.length === 0) return { problem: 'it has no tls.crt' };
  if (key === undefined || key.length === 0) return { problem: 'it has no tls.key' };
  try {
    return { context: createSecureContext({ cert, key, minVersion: 'TLSv1.2' }) };
  } catch (error) {
    return { problem: describeError(error) };
  }
};
