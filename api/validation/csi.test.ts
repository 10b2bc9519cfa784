import { CSI_DRIVERS } from '../resources';
import { refusal } from '../testing';

const driver = (spec: object) => ({
  apiVersion: 'storage.k8s.io/v1',
  kind: 'CSIDriver',
  metadata: { name: 'disks.example.com' },
  spec,
});

it('takes a driver with tokens of a sensible life', () => {
  expect(refusal(CSI_DRIVERS, driver({}))).toEqual([]);
  const tokenRequests = [{ audience: '' }, { audience: 'vault', expirationSeconds: 3600 }];
  expect(refusal(CSI_DRIVERS, driver({ tokenRequests }))).toEqual([]);
});

it.each([599n, 2n ** 32n + 1n, 2n ** 63n - 1n, -(2n ** 63n)])(
  'bounds the life of a driver’s token: %s',
  (expirationSeconds) => {
    const [why] = refusal(
      CSI_DRIVERS,
      driver({ tokenRequests: [{ audience: '', expirationSeconds }] }),
    );
    expect(why).toMatch(/^spec\.tokenRequests\[0\]\.expirationSeconds: Invalid value/);
  },
);

it('refuses two tokens for one audience', () => {
  const tokenRequests = [{ audience: 'vault' }, { audience: 'vault' }];
  expect(refusal(CSI_DRIVERS, driver({ tokenRequests }))).toEqual([
    'spec.tokenRequests[1].audience: Duplicate value: "vault"',
  ]);
});
