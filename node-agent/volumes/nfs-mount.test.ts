import fc from 'fast-check';

import type { PersistentVolume } from '../../api/types';
import { nfsMountOf, whyNotMounted } from './nfs-mount';

const behind = (spec: object): PersistentVolume => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name: 'pv' },
  spec,
});
const claim = (readOnly?: boolean) => ({
  name: 'v',
  persistentVolumeClaim: { claimName: 'c', ...(readOnly === undefined ? {} : { readOnly }) },
});
const nfs = { server: '10.0.0.1', path: '/srv/x' };

it('mounts what a pod asks for', () => {
  const mount = (source: object) =>
    nfsMountOf({ name: 'v', nfs: { ...nfs, ...source } }, undefined);
  expect(mount({})).toEqual({ source: '10.0.0.1:/srv/x', options: 'nosuid,nodev,retry=0' });
  expect(mount({ readOnly: true })?.options).toBe('nosuid,nodev,retry=0,ro');
  expect(mount({ server: 'fd00::1' })?.source).toBe('[fd00::1]:/srv/x');
  expect(mount({ server: 'files.example', path: '/' })?.source).toBe('files.example:/');
});

it('mounts what the volume behind a claim says, with its options', () => {
  const options = (volume: object, readOnly?: boolean) =>
    nfsMountOf(claim(readOnly), behind(volume))?.options;
  const mountOptions = ['nfsvers=4.2', 'soft,timeo=50'];
  expect(options({ nfs, mountOptions })).toBe('nosuid,nodev,retry=0,nfsvers=4.2,soft,timeo=50');
  expect(options({ nfs, mountOptions: ['rw'] }, true)).toBe('nosuid,nodev,retry=0,rw,ro');
  expect(options({ nfs: { ...nfs, readOnly: true } })).toBe('nosuid,nodev,retry=0,ro');
  expect(options({ nfs }, false)).toBe('nosuid,nodev,retry=0');
});

it('mounts nothing of other types', () => {
  expect(nfsMountOf({ name: 'v', emptyDir: {} }, undefined)).toBeUndefined();
  expect(nfsMountOf(claim(), behind({ local: { path: '/x' } }))).toBeUndefined();
});

it('has the last word on whether it can be written to, whatever the options are', () => {
  fc.assert(
    fc.property(fc.array(fc.string()), fc.boolean(), fc.boolean(), (mountOptions, own, asked) => {
      const volume = behind({ nfs: { ...nfs, readOnly: own }, mountOptions });
      const { options = '' } = nfsMountOf(claim(asked), volume) ?? {};
      expect(options.startsWith(['nosuid,nodev,retry=0', ...mountOptions].join(','))).toBe(true);
      if (own || asked) expect(options.endsWith(',ro')).toBe(true);
    }),
  );
});

it.each<[string, number | NodeJS.Signals | null, string]>([
  [
    'mount failed: the kernel of this node has no client of NFS (exit status 32: mount.nfs: No such device)',
    32,
    'mount.nfs: No such device\n',
  ],
  [
    'mount failed: exit status 32: mount.nfs: access denied by server while mounting 10.0.0.1:/srv/x',
    32,
    'mount.nfs: access denied by server while mounting 10.0.0.1:/srv/x\n',
  ],
  ['mount failed: exit status 1: a; b', 1, 'a\nb\n'],
  ['mount failed: exit status SIGSEGV', 'SIGSEGV', ''],
])('says why: %s', (why, status, stderr) => {
  expect(whyNotMounted({ status, stderr })).toBe(why);
});
