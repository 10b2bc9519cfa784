import * as x509 from '@peculiar/x509';

export const CLIENT_SIGNER = 'kubernetes.io/kube-apiserver-client';
export const KUBELET_CLIENT_SIGNER = 'kubernetes.io/kube-apiserver-client-kubelet';
export const KUBELET_SERVING_SIGNER = 'kubernetes.io/kubelet-serving';

/** What a PKCS#10 request asks for. It is signed by its own key. */
export interface ParsedCertificateRequest {
  readonly der: Uint8Array;
  readonly commonName: string;
  readonly organizations: readonly string[];
  /** Host names that it asks for beside its subject. */
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  /** Names of other sorts: `email`, `url`, ... */
  readonly otherNames: readonly string[];
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
    ...alternativeNamesOf(request),
  };
};

const alternativeNamesOf = (request: x509.Pkcs10CertificateRequest) => {
  const items = namesIn(request.getExtension(ALTERNATIVE_NAMES));
  const of = (sort: string) => items.filter(({ type }) => type === sort).map(({ value }) => value);
  return {
    dnsNames: of('dns'),
    ipAddresses: of('ip'),
    otherNames: items.map(({ type }) => type).filter((type) => type !== 'dns' && type !== 'ip'),
  };
};

const namesIn = (extension: x509.Extension | null): readonly x509.GeneralName[] => {
  if (extension === null) return [];
  try {
    return new x509.SubjectAlternativeNameExtension(extension.rawData).names.items;
  } catch (error) {
    throw new MalformedRequestError('its alternative names are malformed', { cause: error });
  }
};

const decoded = (der: Uint8Array<ArrayBuffer>): x509.Pkcs10CertificateRequest => {
  try {
    return new x509.Pkcs10CertificateRequest(der.buffer);
  } catch (error) {
    throw new MalformedRequestError('it is malformed', { cause: error });
  }
};

/**
 * Why a signer does not sign what was approved; undefined when it does. Source: upstream's
 * pkg/apis/certificates/helpers.go.
 */
export const whyNotSigned = (
  signerName: string,
  request: ParsedCertificateRequest,
  usages: readonly string[],
): string | undefined =>
  signerName === KUBELET_SERVING_SIGNER
    ? whyNotServing(request, usages)
    : whyNotClient(signerName, request, usages);

const whyNotClient = (
  signerName: string,
  request: ParsedCertificateRequest,
  usages: readonly string[],
): string | undefined => {
  const { commonName, organizations, dnsNames, ipAddresses } = request;
  const allowed = usages.every((usage) => CLIENT_USAGES.includes(usage));
  if (!allowed || !usages.includes('client auth'))
    return `usages did not match [${CLIENT_USAGES.join(' ')}]`;
  if (commonName === '') return 'the subject has no common name';
  if (organizations.includes('system:masters')) return 'nobody becomes an administrator this way';
  if (signerName !== KUBELET_CLIENT_SIGNER) return undefined;
  if (!isOfNodes(organizations)) return NOT_OF_NODES;
  if (!isNodeName(commonName)) return NO_NODE_NAME;
  if (dnsNames.length > 0) return 'DNS subjectAltNames are not allowed';
  if (ipAddresses.length > 0) return 'IP subjectAltNames are not allowed';
  return whyNotOther(request);
};

const whyNotServing = (
  request: ParsedCertificateRequest,
  usages: readonly string[],
): string | undefined => {
  const { commonName, organizations, dnsNames, ipAddresses } = request;
  if (!isOfNodes(organizations)) return NOT_OF_NODES;
  if (dnsNames.length + ipAddresses.length === 0) return 'DNS or IP subjectAltName is required';
  const other = whyNotOther(request);
  if (other !== undefined) return other;
  const asked = new Set(usages);
  const isExact = SERVING_USAGES.every((usage) => asked.has(usage) || usage === FOR_RSA);
  if (!isExact || usages.some((usage) => !SERVING_USAGES.includes(usage)))
    return `usages did not match [${SERVING_USAGES.join(' ')}]`;
  return isNodeName(commonName) ? undefined : NO_NODE_NAME;
};

const whyNotOther = ({ otherNames }: ParsedCertificateRequest): string | undefined => {
  const [sort] = otherNames;
  if (sort === undefined) return undefined;
  return `${OTHER_NAMES[sort] ?? sort} subjectAltNames are not allowed`;
};

const isOfNodes = (organizations: readonly string[]): boolean =>
  organizations.length === 1 && organizations[0] === 'system:nodes';

const isNodeName = (commonName: string): boolean => commonName.startsWith('system:node:');

const NOT_OF_NODES = 'subject organization is not system:nodes';
const NO_NODE_NAME = 'subject common name does not begin with system:node:';
const OTHER_NAMES: Readonly<Record<string, string>> = { email: 'Email', url: 'URI' };

const PEM =
  /-----BEGIN CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE REQUEST-----/;
const ALTERNATIVE_NAMES = '2.5.29.17';
/** Keys of elliptic curves encipher nothing. */
const FOR_RSA = 'key encipherment';
const SERVING_USAGES = ['digital signature', FOR_RSA, 'server auth'];
const CLIENT_USAGES = ['client auth', 'digital signature', 'key encipherment'];
const BASE64_LENGTH_MAX = 32 * 1024;
