import { jsonEqual } from '../json-value';
import { dns1123LabelProblems } from '../names';
import type { CertificateSigningRequest } from '../types';
import {
  duplicate,
  forbidden,
  immutable,
  invalid,
  notSupported,
  required,
  type FieldError,
} from './field-error';
import {
  subdomainName,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';

type Request = CertificateSigningRequest;
type Condition = NonNullable<NonNullable<Request['status']>['conditions']>[number];

const RULES: MetadataRules = { isNamespaced: false, name: subdomainName };

/** What the request itself holds is looked at in admission, for that takes cryptography. */
export const validateCertificateRequest = (request: Request): readonly FieldError[] => [
  ...validateMetadata(request, RULES),
  ...validateSpec(request),
];

export const validateCertificateRequestUpdate = (request: Request, old: Request) =>
  validateChange(request, old, {});

export const validateCertificateRequestStatusUpdate = (request: Request, old: Request) =>
  validateChange(request, old, { setsCertificate: true });

export const validateCertificateRequestApproval = (request: Request, old: Request) =>
  validateChange(request, old, { approves: true });

interface Allowed {
  readonly approves?: boolean;
  readonly setsCertificate?: boolean;
}

const validateChange = (
  request: Request,
  old: Request,
  { approves = false, setsCertificate = false }: Allowed,
): readonly FieldError[] => [
  ...validateMetadataUpdate(request, old, RULES),
  ...(jsonEqual(request.spec, old.spec) ? [] : [immutable('spec', request.spec)]),
  ...validateConditions(conditionsOf(request)),
  ...KEPT.flatMap((type) =>
    ofType(request, type).length < ofType(old, type).length
      ? [forbidden(CONDITIONS, `updates may not remove a condition of type "${type}"`)]
      : [],
  ),
  ...(approves ? [] : DECISIONS.flatMap((type) => unchanged(type, request, old))),
  ...validateCertificateChange(request, old, setsCertificate),
];

const unchanged = (type: string, request: Request, old: Request): readonly FieldError[] => {
  const [now, before] = [ofType(request, type), ofType(old, type)];
  if (now.length > before.length)
    return [forbidden(CONDITIONS, `updates may not add a condition of type "${type}"`)];
  return now.length < before.length || jsonEqual(now, before)
    ? []
    : [forbidden(CONDITIONS, `updates may not modify a condition of type "${type}"`)];
};

const validateCertificateChange = (
  request: Request,
  old: Request,
  isAllowed: boolean,
): readonly FieldError[] => {
  const [now = '', before = ''] = [request.status?.certificate, old.status?.certificate];
  if (now === before) return [];
  if (!isAllowed) return [forbidden(CERTIFICATE, 'updates may not set certificate content')];
  if (before !== '')
    return [forbidden(CERTIFICATE, 'updates may not modify existing certificate content')];
  return PEM.test(Buffer.from(now, 'base64').toString('latin1'))
    ? []
    : [
        invalid(
          CERTIFICATE,
          '<certificate data>',
          'must contain at least one CERTIFICATE PEM block',
        ),
      ];
};

/** A body may lack what its type promises. */
const validateSpec = ({ spec }: Partial<Request>): readonly FieldError[] => {
  const usages = spec?.usages ?? [];
  const { expirationSeconds } = spec ?? {};
  return [
    ...(usages.length === 0 ? [required('spec.usages')] : []),
    ...usages.flatMap((usage, i) => [
      ...(USAGES.includes(usage) ? [] : [notSupported(`spec.usages[${i}]`, usage, USAGES)]),
      ...(usages.indexOf(usage) < i ? [duplicate(`spec.usages[${i}]`, usage)] : []),
    ]),
    ...validateSignerName(spec?.signerName ?? ''),
    ...(expirationSeconds !== undefined && expirationSeconds < 600
      ? [
          invalid(
            'spec.expirationSeconds',
            expirationSeconds,
            'may not specify a duration less than 600 seconds (10 minutes)',
          ),
        ]
      : []),
  ];
};

const validateSignerName = (name: string): readonly FieldError[] => {
  const at = 'spec.signerName';
  if (name === '') return [required(at)];
  if (name === 'kubernetes.io/legacy-unknown')
    return [invalid(at, name, 'the legacy signerName is not allowed via this API version')];
  const [domain = '', path = '', ...more] = name.split('/');
  if (path === '' || more.length > 0 || name.length > SIGNER_LENGTH_MAX)
    return [
      invalid(
        at,
        name,
        "must be a fully qualified domain and path of the form 'example.com/signer-name'",
      ),
    ];
  const labels = domain.split('.');
  return [
    ...(labels.length < 2
      ? [invalid(at, domain, 'should be a domain with at least two segments separated by dots')]
      : []),
    ...[...labels, ...path.split('.')].flatMap((label) =>
      dns1123LabelProblems(label.toLowerCase()).map((why) =>
        invalid(at, name, `validating label "${label}": ${why}`),
      ),
    ),
  ];
};

const validateConditions = (conditions: readonly Condition[]): readonly FieldError[] => {
  const types = conditions.map(({ type }) => type);
  return conditions.flatMap(({ type, status }, i) => {
    const at = `${CONDITIONS}[${i}]`;
    const values = KEPT.includes(type) ? ['True'] : ['False', 'True', 'Unknown'];
    const other = DECISIONS.find((each) => each !== type) ?? '';
    const isBoth = DECISIONS.includes(type) && types.slice(0, i).includes(other);
    return [
      ...(type === '' ? [required(`${at}.type`)] : []),
      ...(status === ''
        ? [required(`${at}.status`)]
        : values.includes(status)
          ? []
          : [notSupported(`${at}.status`, status, values)]),
      ...(isBoth
        ? [invalid(`${at}.type`, type, 'Approved and Denied conditions are mutually exclusive')]
        : []),
      ...(types.indexOf(type) < i ? [duplicate(`${at}.type`, type)] : []),
    ];
  });
};

const conditionsOf = ({ status }: Request): readonly Condition[] => status?.conditions ?? [];

const ofType = (request: Request, wanted: string): readonly Condition[] =>
  conditionsOf(request).filter(({ type }) => type === wanted);

const CONDITIONS = 'status.conditions';
const CERTIFICATE = 'status.certificate';
const DECISIONS = ['Approved', 'Denied'];
const KEPT = [...DECISIONS, 'Failed'];
const PEM = /^-----BEGIN CERTIFICATE-----\s/m;
const SIGNER_LENGTH_MAX = 571;
const USAGES = [
  'any',
  'cert sign',
  'client auth',
  'code signing',
  'content commitment',
  'crl sign',
  'data encipherment',
  'decipher only',
  'digital signature',
  'email protection',
  'encipher only',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'key agreement',
  'key encipherment',
  'microsoft sgc',
  'netscape sgc',
  'ocsp signing',
  's/mime',
  'server auth',
  'signing',
  'timestamping',
];
