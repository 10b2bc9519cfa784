import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { wireguardKeysAt } from './wireguard-key';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dhow-key-'));
  path = join(folder, 'wireguard-key');
});
afterEach(() => rmSync(folder, { recursive: true }));

it('makes a key once, for its owner alone, and another when the file has gone', () => {
  const keys = wireguardKeysAt(path);
  expect(readFileSync(path, 'utf8')).toBe(`${keys.privateKey}\n`);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  chmodSync(path, 0o644);
  expect(wireguardKeysAt(path)).toEqual(keys);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  rmSync(path);
  expect(wireguardKeysAt(path).publicKey).not.toBe(keys.publicKey);
});

it('knows the public key of a private one, and spells that as the kernel does', () => {
  // Source: RFC 7748, section 6.1
  const text = (hex: string) => Buffer.from(hex, 'hex').toString('base64');
  const middle = '076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c';
  writeFileSync(path, `${text(`77${middle}2a`)}\n`);
  expect(wireguardKeysAt(path)).toEqual({
    privateKey: text(`70${middle}6a`),
    publicKey: text('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a'),
  });
});

it.each(['', 'none', 'A'.repeat(44), `${'A'.repeat(43)}=\n${'A'.repeat(43)}=`])(
  'says that %j is no key, and leaves it',
  (text) => {
    writeFileSync(path, text);
    expect(() => wireguardKeysAt(path)).toThrow('holds no key of WireGuard: remove it');
    expect(readFileSync(path, 'utf8')).toBe(text);
  },
);
