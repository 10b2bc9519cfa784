import { CERTIFICATE_REQUESTS } from '../resources';
import type { CertificateSigningRequest } from '../types';
import {
  validateCertificateRequest,
  validateCertificateRequestApproval,
  validateCertificateRequestStatusUpdate,
  validateCertificateRequestUpdate,
} from '../validation/certificate-request';
import { defineKind } from './kind';

export const CERTIFICATE_REQUEST_KIND = defineKind(CERTIFICATE_REQUESTS, {
  shortNames: ['csr'],
  subresources: ['status', 'approval'],
  fields: { 'spec.signerName': ({ spec }: CertificateSigningRequest) => spec.signerName },
  validateCreate: validateCertificateRequest,
  validateUpdate: validateCertificateRequestUpdate,
  validateStatusUpdate: validateCertificateRequestStatusUpdate,
  validateApprovalUpdate: validateCertificateRequestApproval,
});
