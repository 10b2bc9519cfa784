import fc from 'fast-check';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { silentLog } from '../../../lib/log';
import { AttachmentRecords, recordNameOf, type AttachmentRecord } from './attachment-records';

const SANDBOX = '0b6a7f3e-58f2-4a0e-9c57-2d6f5a1c9e11-3';

const record = (name: string, sandboxId = SANDBOX): AttachmentRecord => ({
  network: {
    ...{ name, cniVersion: '1.0.0', disableCheck: false, disableGC: false },
    plugins: [{ type: 'bridge' }],
  },
  ...{ sandboxId, netnsPath: '/run/netns/a', interfaceName: 'eth0', args: {}, capabilityArgs: {} },
});

it('is called as libcni calls it, where a folder holds such a name', () => {
  expect(recordNameOf(record('net'))).toBe(`net-${SANDBOX}-eth0`);
});

it('has a name of its own that fits into a folder, whatever it is for', () => {
  const names = fc.stringMatching(/^[a-zA-Z0-9_.-]{1,200}$/);
  fc.assert(
    fc.property(names, fc.stringMatching(/^[a-z0-9-]{1,80}$/), (name, sandboxId) => {
      const [one, other] = [sandboxId, `${sandboxId}x`].map((id) => recordNameOf(record(name, id)));
      expect(Buffer.byteLength(one ?? '')).toBeLessThanOrEqual(255 - 14);
      expect(one).not.toBe(other);
    }),
  );
});

it('keeps an attachment to a network of the longest name', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'dhow-cni-'));
  try {
    const records = await AttachmentRecords.open(folder);
    const attached = record('n'.repeat(200));
    await records.put(attached);
    await records.put({ ...attached, result: { cniVersion: '1.0.0' } });
    expect(await records.list(silentLog)).toEqual([
      { ...attached, result: { cniVersion: '1.0.0' } },
    ]);
    await records.remove(attached);
    expect(await records.list(silentLog)).toEqual([]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
