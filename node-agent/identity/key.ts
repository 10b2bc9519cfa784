import * as x509 from '@peculiar/x509';
import { KeyObject, webcrypto } from 'node:crypto';

/** A fresh private key (PEM) and a PKCS#10 request (DER) for a certificate of it. */
export const createKey = async (): Promise<{
  readonly key: string;
  readonly certificateRequest: Buffer;
}> => {
  x509.cryptoProvider.set(webcrypto as never);
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    // The server decides the name by who asks.
    name: 'CN=node',
    keys: keys as never,
    signingAlgorithm: ALGORITHM as never,
  });
  const key = KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString();
  return { key, certificateRequest: Buffer.from(request.rawData) };
};

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
