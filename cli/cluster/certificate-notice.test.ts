import { CertificateAuthority } from '../../control-plane/pki/certificates';
import { authorityNotice } from './certificate-notice';

const DAY_MS = 24 * 3_600_000;
const MADE_MS = Date.UTC(2026, 5, 1);

it('speaks of an authority in the last three months of its ten years only', async () => {
  const { pem } = await CertificateAuthority.create(MADE_MS);
  const after = (days: number) => authorityNotice(pem.certificate, MADE_MS + days * DAY_MS);
  expect(after(-1)).toBe('its CA is of the future: set the clock');
  expect(after(0)).toBeUndefined();
  expect(after(3560)).toBeUndefined();
  expect(after(3561)).toBe('its CA ends in 89 days');
  expect(after(3650)).toBe('its CA has ended');
});
