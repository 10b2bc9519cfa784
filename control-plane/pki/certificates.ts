import { createHash, KeyObject, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';

x509.cryptoProvider.set(webcrypto as never);

type CryptoKeyPair = webcrypto.CryptoKeyPair;

/** A certificate and its private key, both PEM. */
export interface KeyPairPem {
  readonly certificate: string;
  readonly key: string;
}

export interface CertificateRequest {
  readonly commonName: string;
  readonly organization?: string;
  readonly use: 'server' | 'client';
  /** Host names and IP addresses, for a server. */
  readonly names?: readonly string[];
}

/** Signs certificates; made once per cluster. */
export class CertificateAuthority {
  private constructor(
    private readonly issuer: x509.X509Certificate,
    private readonly privateKey: webcrypto.CryptoKey,
    readonly pem: KeyPairPem,
  ) {}

  static async create(nowMs: number): Promise<CertificateAuthority> {
    const keys = await generateKeys();
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: serialNumber(),
      name: 'CN=dhow-ca',
      ...validity(nowMs, CA_YEARS),
      keys,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(
          x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
          true,
        ),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    const key = exportKey(keys.privateKey);
    return new CertificateAuthority(certificate, keys.privateKey, {
      certificate: certificate.toString('pem') + '\n',
      key,
    });
  }

  static async load(pem: KeyPairPem): Promise<CertificateAuthority> {
    const der = x509.PemConverter.decodeFirst(pem.key);
    const key = await webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, true, ['sign']);
    return new CertificateAuthority(new x509.X509Certificate(pem.certificate), key, pem);
  }

  /** SHA-256 of the SubjectPublicKeyInfo, in hex: what a join token pins. */
  get hash(): string {
    return createHash('sha256').update(Buffer.from(this.issuer.publicKey.rawData)).digest('hex');
  }

  /** A fresh key with its certificate. */
  async issue(request: CertificateRequest, nowMs: number): Promise<KeyPairPem> {
    const keys = await generateKeys();
    const certificate = await this.sign(keys.publicKey, request, nowMs);
    return { certificate, key: exportKey(keys.privateKey) };
  }

  /**
   * Signs the key of a PKCS#10 request. Names and extensions that the request asks for are ignored:
   * `identity` alone decides who the holder is.
   * @throws Error when the request is malformed, wrongly signed or its key is not P-256.
   */
  async signRequest(der: Uint8Array, identity: CertificateRequest, nowMs: number): Promise<string> {
    if (der.byteLength > MAX_REQUEST_BYTES) throw new Error('certificate request is too large');
    const request = parseRequest(der);
    if (!(await request.verify().catch(() => false)))
      throw new Error('certificate request is not signed by its own key');
    return this.sign(await importPublicKey(request.publicKey.rawData), identity, nowMs);
  }

  private async sign(
    publicKey: webcrypto.CryptoKey,
    { commonName, organization, use, names = [] }: CertificateRequest,
    nowMs: number,
  ): Promise<string> {
    const usage = use === 'server' ? SERVER_AND_CLIENT : [x509.ExtendedKeyUsage.clientAuth];
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject: new x509.Name([
        ...(organization === undefined ? [] : [{ O: [organization] }]),
        { CN: [commonName] },
      ]),
      issuer: this.issuer.subjectName,
      ...validity(nowMs, LEAF_YEARS),
      publicKey: publicKey as never,
      signingKey: this.privateKey as never,
      signingAlgorithm: ALGORITHM as never,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([...usage]),
        await x509.AuthorityKeyIdentifierExtension.create(this.issuer),
        ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(sans(names))]),
      ],
    });
    return certificate.toString('pem') + '\n';
  }
}

/** True when the certificate is good for `marginMs` more and names all of `names`. */
export const isUsable = (
  certificatePem: string,
  names: readonly string[],
  nowMs: number,
  marginMs = RENEWAL_MARGIN_MS,
): boolean => {
  try {
    const certificate = new x509.X509Certificate(certificatePem);
    const extension = certificate.getExtension(x509.SubjectAlternativeNameExtension);
    const present = new Set(extension?.names.items.map(({ value }) => value.toLowerCase()) ?? []);
    return (
      certificate.notAfter.getTime() > nowMs + marginMs &&
      names.every((name) => present.has(name.toLowerCase()))
    );
  } catch {
    return false;
  }
};

/** A key and a request for it, as an agent makes them. DER request, PEM key. */
export const createRequest = async (): Promise<{ request: Uint8Array; key: string }> => {
  const keys = await generateKeys();
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: 'CN=node',
    keys: keys as never,
    signingAlgorithm: ALGORITHM as never,
  });
  return { request: new Uint8Array(request.rawData), key: exportKey(keys.privateKey) };
};

/** The hash of a CA certificate as `CertificateAuthority.hash` gives it. */
export const caHashOf = (certificatePem: string): string =>
  createHash('sha256')
    .update(Buffer.from(new x509.X509Certificate(certificatePem).publicKey.rawData))
    .digest('hex');

const parseRequest = (der: Uint8Array): x509.Pkcs10CertificateRequest => {
  try {
    return new x509.Pkcs10CertificateRequest(Uint8Array.from(der).buffer);
  } catch (error) {
    throw new Error('certificate request is malformed', { cause: error });
  }
};

const importPublicKey = async (spki: ArrayBuffer): Promise<webcrypto.CryptoKey> => {
  try {
    return await webcrypto.subtle.importKey('spki', spki, ALGORITHM, true, ['verify']);
  } catch (error) {
    throw new Error('certificate request must carry an ECDSA P-256 key', { cause: error });
  }
};

const generateKeys = (): Promise<CryptoKeyPair> =>
  webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);

const exportKey = (key: webcrypto.CryptoKey): string =>
  KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }).toString();

const sans = (names: readonly string[]): x509.JsonGeneralNames =>
  names.map((name) => ({ type: isIP(name) === 0 ? 'dns' : 'ip', value: name }));

const serialNumber = (): string => {
  const bytes = Buffer.from(webcrypto.getRandomValues(new Uint8Array(16)));
  // Positive and never shorter than 16 bytes: the first byte is 0x40..0x7f.
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString('hex');
};

/** Starts a little in the past: machines whose clocks lag must accept it at once. */
const validity = (nowMs: number, years: number) => ({
  notBefore: new Date(nowMs - CLOCK_SKEW_MS),
  notAfter: new Date(nowMs + years * YEAR_MS),
});

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const SERVER_AND_CLIENT = [x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth];
const YEAR_MS = 365 * 24 * 3_600_000;
const CA_YEARS = 10;
const LEAF_YEARS = 1;
const CLOCK_SKEW_MS = 5 * 60_000;
const RENEWAL_MARGIN_MS = 30 * 24 * 3_600_000;
const MAX_REQUEST_BYTES = 16 * 1024;
