import { all, kept, shown, tests, type Effects } from './effect';
import { OBJECT } from './metadata';

const KUBECTL = tests('test/integration/certificate-requests.test.ts');
const REQUESTS = tests('control-plane/api-server/certificate-requests.test.ts');

const SIGNED = shown(KUBECTL('signs what is approved, and who holds it is who it says'));
const ASKER = shown(REQUESTS('knows who asks, whatever the body says'));

export const CERTIFICATE_EFFECTS: Effects = {
  CertificateSigningRequest: { ...OBJECT, spec: SIGNED, status: SIGNED },
  CertificateSigningRequestSpec: {
    ...all(['request', 'signerName', 'usages'], SIGNED),
    expirationSeconds: shown(KUBECTL('signs what is approved, and who holds it is who it says')),
    ...all(['username', 'groups', 'uid', 'extra'], ASKER),
  },
  CertificateSigningRequestStatus: all(['certificate', 'conditions'], SIGNED),
  CertificateSigningRequestCondition: {
    ...all(['type', 'status'], SIGNED),
    ...all(['reason', 'message'], kept('for people')),
    ...all(
      ['lastTransitionTime', 'lastUpdateTime'],
      shown(REQUESTS('dates what is decided, and keeps it')),
    ),
  },
};
