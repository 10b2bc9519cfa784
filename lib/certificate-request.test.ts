import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import {
  CLIENT_SIGNER,
  KUBELET_CLIENT_SIGNER,
  KUBELET_SERVING_SIGNER,
  parseCertificateRequest,
  whyNotSigned,
} from './certificate-request';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
x509.cryptoProvider.set(webcrypto as never);

const requestOf = async (name: string, names: x509.JsonGeneralNames = []) => {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const extensions = names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)];
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    ...{ name, extensions, keys: keys as never, signingAlgorithm: ALGORITHM as never },
  });
  return parseCertificateRequest(Buffer.from(request.toString('pem')).toString('base64'));
};

const NODE = 'CN=system:node:n1, O=system:nodes';
const SERVING = ['digital signature', 'key encipherment', 'server auth'];
const NAMES: x509.JsonGeneralNames = [
  { type: 'dns', value: 'n1.example' },
  { type: 'ip', value: '192.0.2.1' },
];
const EMAIL: x509.JsonGeneralName = { type: 'email', value: 'a@b.example' };
const URL_NAME: x509.JsonGeneralName = { type: 'url', value: 'https://b.example' };
const serving = async (name: string, names: x509.JsonGeneralNames, usages = SERVING) =>
  whyNotSigned(KUBELET_SERVING_SIGNER, await requestOf(name, names), usages);

it('reads the names that are asked for', async () => {
  expect(await requestOf('CN=a, O=b, O=c', [...NAMES, EMAIL, URL_NAME])).toMatchObject({
    commonName: 'a',
    organizations: ['b', 'c'],
    dnsNames: ['n1.example'],
    ipAddresses: ['192.0.2.1'],
    otherNames: ['email', 'url'],
  });
});

describe('the certificate of a node that serves', () => {
  it('is signed with a name or an address, with or without the usage of RSA keys', async () => {
    expect(await serving(NODE, NAMES)).toBeUndefined();
    expect(await serving(NODE, NAMES.slice(0, 1))).toBeUndefined();
    expect(await serving(NODE, NAMES, ['server auth', 'digital signature'])).toBeUndefined();
  });

  it.each<[string, string, x509.JsonGeneralNames]>([
    ['subject organization is not system:nodes', 'CN=system:node:n1', NAMES],
    ['subject organization is not system:nodes', `${NODE}, O=system:masters`, NAMES],
    ['subject common name does not begin with system:node:', 'CN=n1, O=system:nodes', NAMES],
    ['DNS or IP subjectAltName is required', NODE, []],
    ['Email subjectAltNames are not allowed', NODE, [...NAMES, EMAIL]],
    ['URI subjectAltNames are not allowed', NODE, [...NAMES, URL_NAME]],
  ])('is refused: %s: %s', async (why, name, names) => {
    expect(await serving(name, names)).toBe(why);
  });

  it('is for the usages of a server, and no others', async () => {
    for (const usages of [['server auth'], [...SERVING, 'client auth'], []])
      expect(await serving(NODE, NAMES, usages)).toBe(
        `usages did not match [${SERVING.join(' ')}]`,
      );
  });
});

it('has no names when it is for a client of the kubelet', async () => {
  const client = async (names: x509.JsonGeneralNames) =>
    whyNotSigned(KUBELET_CLIENT_SIGNER, await requestOf(NODE, names), ['client auth']);
  expect(await client([])).toBeUndefined();
  expect(await client(NAMES)).toBe('DNS subjectAltNames are not allowed');
  expect(await client(NAMES.slice(1))).toBe('IP subjectAltNames are not allowed');
});

it('makes no server of a client', async () => {
  const request = await requestOf('CN=ada');
  expect(whyNotSigned(CLIENT_SIGNER, request, ['client auth'])).toBeUndefined();
  expect(whyNotSigned(CLIENT_SIGNER, request, ['server auth'])).toContain('usages did not match');
});
