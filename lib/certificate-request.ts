import * as x509 from '@peculiar/x509';

export const CLIENT_SIGNER = 'kubernetes.io/kube-apiserver-client';
export const KUBELET_CLIENT_SIGNER = 'kubernetes.io/kube-apiserver-client-kubelet';

/** What a PKCS#10 request asks for. It is signed by its own key. */
export interface ParsedCertificateRequest {
  readonly der: Uint8Array;
  readonly commonName: string;
  readonly organizations: readonly string[];
  /** Does it ask for names beside its subject? */
  readonly hasAlternativeNames: boolean;
}

/** What was sent is no request. The message is for its author. */
export class MalformedRequestError extends Error {
  override readonly name = 'MalformedRequestError';
}

/** Of PEM in base64, as `spec.request` has it. @throws MalformedRequestError */
export const parseCertificateRequest = async (
  base64: string,
): Promise<ParsedCertificateRequest> => {
  if (base64.length > BASE64_LENGTH_MAX) throw new MalformedRequestError('it is too large');
  const text = Buffer.from(base64, 'base64').toString('latin1');
  const body = PEM.exec(text)?.[1];
  if (body === undefined)
    throw new MalformedRequestError('PEM block type must be CERTIFICATE REQUEST');
  const der = Uint8Array.from(Buffer.from(body, 'base64'));
  const request = decoded(der);
  if (!(await request.verify().catch(() => false)))
    throw new MalformedRequestError('it is not signed by its own key');
  const subject = request.subjectName;
  return {
    der,
    commonName: subject.getField('CN')[0] ?? '',
    organizations: subject.getField('O'),
    hasAlternativeNames: request.getExtension(ALTERNATIVE_NAMES) !== null,
  };
};

const decoded = (der: Uint8Array<ArrayBuffer>): x509.Pkcs10CertificateRequest => {
  try {
    return new x509.Pkcs10CertificateRequest(der.buffer);
  } catch (error) {
    throw new MalformedRequestError('it is malformed', { cause: error });
  }
};

/** Why a signer does not sign what was approved; undefined when it does. In upstream's rules. */
export const whyNotSigned = (
  signerName: string,
  { commonName, organizations, hasAlternativeNames }: ParsedCertificateRequest,
  usages: readonly string[],
): string | undefined => {
  const allowed = usages.every((usage) => CLIENT_USAGES.includes(usage));
  if (!allowed || !usages.includes('client auth'))
    return `usages did not match [${CLIENT_USAGES.join(' ')}]`;
  if (commonName === '') return 'the subject has no common name';
  if (organizations.includes('system:masters')) return 'nobody becomes an administrator this way';
  if (signerName !== KUBELET_CLIENT_SIGNER) return undefined;
  if (organizations.length !== 1 || organizations[0] !== 'system:nodes')
    return 'subject organization is not system:nodes';
  if (!commonName.startsWith('system:node:'))
    return 'subject common name does not begin with system:node:';
  return hasAlternativeNames ? 'DNS, IP, email and URI subjectAltNames are not allowed' : undefined;
};

const PEM =
  /-----BEGIN CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE REQUEST-----/;
const ALTERNATIVE_NAMES = '2.5.29.17';
const CLIENT_USAGES = ['client auth', 'digital signature', 'key encipherment'];
const BASE64_LENGTH_MAX = 32 * 1024;
