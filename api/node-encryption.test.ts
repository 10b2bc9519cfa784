import fc from 'fast-check';

import { formatWireguardEnd, normalWireguardEnd, wireguardEndOf } from './node-encryption';

const nodeWith = (text: string) => ({
  metadata: { name: 'n', annotations: { 'dhow.dev/wireguard': text } },
});
const KEY = Buffer.alloc(32, 7).toString('base64');

it('reads back which key a node has, and where', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.integer({ min: 1, max: 65_535 }),
      (bytes, port) => {
        const end = { publicKey: Buffer.from(bytes).toString('base64'), port };
        expect(wireguardEndOf(nodeWith(formatWireguardEnd(end)))).toEqual(end);
      },
    ),
  );
});

it.each([
  ['', 'none'],
  ['none', 'none'],
  [`${KEY}:51820`, `${KEY}:51820`],
  [`${KEY}:0`, 'none'],
  [`${KEY}:65536`, 'none'],
  [`${KEY}:051820`, 'none'],
  [`${KEY}:51820 `, 'none'],
  [KEY, 'none'],
  [`${KEY.slice(4)}:51820`, 'none'],
  [`${KEY.replace('c=', 'd=')}:51820`, 'none'],
  [`${KEY.slice(0, -1)}-:51820`, 'none'],
])('takes %j for %s', (text, kept) => {
  expect(normalWireguardEnd(text)).toBe(kept);
  expect(wireguardEndOf(nodeWith(text)) !== undefined).toBe(kept !== 'none');
});

it('knows nothing of a node that has not said', () => {
  expect(wireguardEndOf({ metadata: { name: 'n' } })).toBeUndefined();
});
