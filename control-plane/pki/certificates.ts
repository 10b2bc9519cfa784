import { createHash, KeyObject, webcrypto, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';
import { certificateLifeOf, type CertificateLife } from '../../lib/certificate-life';
import { rfc3339 } from '../../lib/clock';
import { nextUntilMs } from './renewal';

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
  /** In the place of one. */
  readonly organizations?: readonly string[];
  /** `serving`: a server that is nobody's client with it. */
  readonly use: 'server' | 'serving' | 'client';
  /** Host names and IP addresses, for a server. */
  readonly names?: readonly string[];
  /** How long it is to be good; it never outlives the authority. Default a year. */
  readonly lifeMs?: number;
}

/** How long a certificate is to be good from now on; it never outlives the authority. */
export interface CertificateTerm {
  readonly lifeMs: number;
  readonly nowMs: number;
}

/** Signs certificates; made once per cluster. */
export class CertificateAuthority {
  private constructor(
    private readonly issuer: x509.X509Certificate,
    private readonly privateKey: webcrypto.CryptoKey,
    readonly pem: KeyPairPem,
  ) {}

  /** @throws Error when the clock has evidently not been set: all that is signed would be of no use. */
  static async create(nowMs: number, name = 'dhow-ca'): Promise<CertificateAuthority> {
    return CertificateAuthority.selfSigned(await generateKeys(), name, nowMs);
  }

  private static async selfSigned(
    keys: CryptoKeyPair,
    name: string,
    nowMs: number,
  ): Promise<CertificateAuthority> {
    if (nowMs < EARLIEST_MS)
      throw new Error(
        `the clock of this machine says ${rfc3339(nowMs)}: set it before a certificate authority is made`,
      );
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: serialNumber(),
      name: `CN=${name}`,
      // Starts a little in the past: machines whose clocks lag must accept it at once.
      notBefore: new Date(nowMs - CLOCK_SKEW_MS),
      notAfter: new Date(nowMs + CA_YEARS * YEAR_MS),
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

  /** The same name and key, good from now on. */
  async prolonged(nowMs: number): Promise<CertificateAuthority> {
    const { privateKey } = this;
    const publicKey = await importPublicKey(this.issuer.publicKey.rawData);
    const [name = ''] = this.issuer.subjectName.getField('CN');
    return CertificateAuthority.selfSigned({ publicKey, privateKey }, name, nowMs);
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

  get life(): CertificateLife {
    return certificateLifeOf(this.pem.certificate);
  }

  /** True for a certificate that this authority signed, whatever its age. */
  hasSigned(certificatePem: string): boolean {
    const certificate = new X509Certificate(certificatePem);
    return certificate.verify(new X509Certificate(this.pem.certificate).publicKey);
  }

  /**
   * A fresh key with its certificate, good since the authority was made: a clock that somebody sets
   * back does not make it one of the future.
   */
  async issue(request: CertificateRequest, nowMs: number): Promise<KeyPairPem> {
    const keys = await generateKeys();
    const { fromMs } = this.life;
    const certificate = await this.sign(keys.publicKey, request, { fromMs, nowMs });
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
    const publicKey = await importPublicKey(request.publicKey.rawData);
    // An agent reckons by the whole life of its certificate when to renew it.
    return this.sign(publicKey, identity, { fromMs: nowMs - CLOCK_SKEW_MS, nowMs });
  }

  /**
   * A client certificate for what a request asks to be, whatever its kind of key. Whoever calls has
   * decided that the holder may be that. @throws Error when the request is malformed or wrongly signed
   */
  signClient(der: Uint8Array, life: CertificateTerm): Promise<string> {
    return this.signSubject(der, { use: 'client' }, life);
  }

  /** As `signClient`, for a server that is reached by `names`; nobody becomes a user with it. */
  signServing(der: Uint8Array, names: readonly string[], life: CertificateTerm): Promise<string> {
    return this.signSubject(der, { use: 'serving', names }, life);
  }

  private async signSubject(
    der: Uint8Array,
    how: Pick<CertificateRequest, 'use' | 'names'>,
    { lifeMs, nowMs }: CertificateTerm,
  ): Promise<string> {
    const request = parseRequest(der);
    if (!(await request.verify().catch(() => false)))
      throw new Error('certificate request is not signed by its own key');
    const subject = request.subjectName;
    const identity: CertificateRequest = {
      commonName: subject.getField('CN')[0] ?? '',
      organizations: subject.getField('O'),
      ...{ ...how, lifeMs },
    };
    return this.sign(request.publicKey, identity, { fromMs: nowMs - CLOCK_SKEW_MS, nowMs });
  }

  private async sign(
    publicKey: webcrypto.CryptoKey | x509.PublicKey,
    {
      commonName,
      organization,
      organizations,
      use,
      names = [],
      lifeMs = YEAR_MS,
    }: CertificateRequest,
    { fromMs, nowMs }: { readonly fromMs: number; readonly nowMs: number },
  ): Promise<string> {
    const authorityUntilMs = this.life.untilMs;
    const usage = USAGES[use];
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject: new x509.Name([
        ...(organizations ?? (organization === undefined ? [] : [organization])).map((name) => ({
          O: [name],
        })),
        { CN: [commonName] },
      ]),
      issuer: this.issuer.subjectName,
      notBefore: new Date(fromMs),
      notAfter: new Date(nextUntilMs(nowMs, { lifeMs, authorityUntilMs })),
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

/** The host names and addresses that a certificate is for. */
export const namesIn = (certificatePem: string): readonly string[] => {
  const certificate = new x509.X509Certificate(certificatePem);
  const extension = certificate.getExtension(x509.SubjectAlternativeNameExtension);
  return extension?.names.items.map(({ value }) => value) ?? [];
};

/** True when the certificate names all of `names`. */
export const bearsNames = (certificatePem: string, names: readonly string[]): boolean => {
  const present = new Set(namesIn(certificatePem).map((name) => name.toLowerCase()));
  return names.every((name) => present.has(name.toLowerCase()));
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

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const { serverAuth, clientAuth } = x509.ExtendedKeyUsage;
const USAGES: Readonly<Record<CertificateRequest['use'], readonly x509.ExtendedKeyUsage[]>> = {
  server: [serverAuth, clientAuth],
  serving: [serverAuth],
  client: [clientAuth],
};
const YEAR_MS = 365 * 24 * 3_600_000;
const CA_YEARS = 10;
const CLOCK_SKEW_MS = 5 * 60_000;
/** Before this program was written. */
const EARLIEST_MS = Date.UTC(2026, 0, 1);
const MAX_REQUEST_BYTES = 16 * 1024;
