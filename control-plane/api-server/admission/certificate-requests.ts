import { CERTIFICATE_REQUESTS } from '../../../api/resources';
import { jsonEqual } from '../../../api/json-value';
import { invalid, invalidError } from '../../../api/validation/field-error';
import {
  CLIENT_SIGNER,
  MalformedRequestError,
  parseCertificateRequest,
} from '../../../lib/certificate-request';
import { MASTERS } from '../auth/user';
import { listAt, textAt } from '../kinds/mutable';
import type { AdmissionPlugin } from './admission-plugin';
import { isWriteOf, objectOf, type AdmissionAttributes } from './attributes';
import type { AccessJudge } from './policies/request-values';
import { refusal } from './refusal';

/** Who decides on requests for certificates must be allowed that for the signer that is named. */
export const certificateApproval = (judge: AccessJudge): AdmissionPlugin => ({
  name: 'CertificateApproval',
  handles: (asked) => isPartOf(asked, 'approval'),
  validate: async (asked) => checkSigner(asked, 'approve', judge),
});

/** Who says what a signer has made of a request must be allowed to sign for it. */
export const certificateSigning = (judge: AccessJudge): AdmissionPlugin => ({
  name: 'CertificateSigning',
  handles: (asked) => isPartOf(asked, 'status'),
  validate: async (asked) => {
    const { object, old } = asked;
    const isSame = textAt(object, 'status', 'certificate') === textAt(old, 'status', 'certificate');
    if (isSame && jsonEqual(failuresOf(object), failuresOf(old))) return;
    checkSigner(asked, 'sign', judge);
  },
});

/** No certificate of an administrator is asked for, and none by what is no request. */
export const certificateSubjectRestriction: AdmissionPlugin = {
  name: 'CertificateSubjectRestriction',
  handles: (asked) => isWriteOf(asked, CERTIFICATE_REQUESTS) && asked.operation === 'CREATE',
  validate: async (asked) => {
    const request = objectOf(asked);
    const { organizations } = await parsed(asked);
    if (textAt(request, 'spec', 'signerName') === CLIENT_SIGNER && organizations.includes(MASTERS))
      throw refusal(asked, `use of ${CLIENT_SIGNER} signer with ${MASTERS} group is not allowed`);
  },
};

const parsed = async (asked: AdmissionAttributes) => {
  const pem = textAt(asked.object, 'spec', 'request');
  try {
    return await parseCertificateRequest(pem);
  } catch (error) {
    if (!(error instanceof MalformedRequestError)) throw error;
    throw invalidError(asked.kind.resource, asked.name, [
      invalid('spec.request', pem.slice(0, SHOWN_MAX), error.message),
    ]);
  }
};

const isPartOf = ({ operation, kind, subresource }: AdmissionAttributes, part: string): boolean =>
  kind.resource === CERTIFICATE_REQUESTS && operation === 'UPDATE' && subresource === part;

const failuresOf = (request: unknown): readonly unknown[] =>
  listAt(request, 'status', 'conditions').filter((each) => textAt(each, 'type') === 'Failed');

/** By the name of the signer, or all of its domain. @throws Forbidden */
const checkSigner = (asked: AdmissionAttributes, verb: string, judge: AccessJudge): void => {
  const signer = textAt(asked.old, 'spec', 'signerName');
  const of = { verb, group: CERTIFICATE_REQUESTS.group, resource: 'signers' };
  const isAllowed = [signer, `${signer.split('/')[0] ?? ''}/*`].some((name) =>
    judge.isAllowed(asked.user, { ...of, subresource: '', namespace: '', name }),
  );
  if (!isAllowed)
    throw refusal(
      asked,
      `user not permitted to ${verb} requests with signerName ${JSON.stringify(signer)}`,
    );
};

const SHOWN_MAX = 256;
