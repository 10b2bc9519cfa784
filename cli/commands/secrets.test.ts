import type { EncryptionKeyView } from '../../api/encryption-keys';
import { progressOf } from './secrets';

const key = (name: string, current: boolean, secrets: number): EncryptionKeyView => ({
  apiVersion: 'encryption.dhow.dev/v1',
  kind: 'EncryptionKey',
  metadata: { name },
  status: { current, secrets },
});

it.each([
  ['the server does not know the key yet', [key('a', true, 3)], 'b', false, 'waiting for'],
  ['some are left', [key('b', true, 1), key('a', false, 2)], 'b', false, '1 of 3 Secrets'],
  ['some are in the clear', [key('b', true, 1), key('in-the-clear', false, 1)], 'b', false, '1 of'],
  ['none is left', [key('b', true, 3), key('a', false, 0)], 'b', true, '3 of 3 Secrets'],
  ['there is none at all', [key('b', true, 0)], undefined, true, '0 of 0 Secrets'],
  ['no key is waited for', [key('c', true, 1)], undefined, true, 'with key c'],
])('tells how far it is when %s', (_when, keys, wantedId, isDone, text) => {
  expect(progressOf(keys, wantedId)).toEqual({ isDone, text: expect.stringContaining(text) });
});
