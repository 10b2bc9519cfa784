import { warningsFor } from '../scheme';
import { PERSISTENT_VOLUMES } from '../resources';
import { made } from '../testing';

const volume = (source: object) => ({
  metadata: { name: 'v' },
  spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], ...source },
});

it('says of a volume that no node can mount it', () => {
  const warnings = (source: object) => warningsFor(made(PERSISTENT_VOLUMES, volume(source)));
  expect(warnings({ cephfs: { monitors: ['m'] }, mountOptions: ['ro'] })).toEqual([
    'spec.cephfs: not supported by Dhow yet; pods that use it will not start',
    'spec.mountOptions: not supported by Dhow yet; pods that use it will not start',
  ]);
  expect(warnings({ nfs: { server: 's', path: '/' }, mountOptions: ['ro'] })).toEqual([]);
  expect(warnings({ hostPath: { path: '/srv' } })).toEqual([]);
  expect(warnings({ local: { path: '/srv' } })).toEqual([]);
});

it('says which volumes no node can give as a device', () => {
  const warnings = (source: object) =>
    warningsFor(made(PERSISTENT_VOLUMES, volume({ volumeMode: 'Block', ...source })));
  expect(warnings({ hostPath: { path: '/dev/sdb' } })).toEqual([
    'spec.volumeMode: only local volumes and those of CSI drivers can be devices; pods that use it will not start',
  ]);
  expect(warnings({ local: { path: '/dev/sdb' } })).toEqual([]);
  expect(warnings({ csi: { driver: 'd.test', volumeHandle: 'h' } })).toEqual([]);
});
