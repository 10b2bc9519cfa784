import { createPrivateKey, createPublicKey, randomBytes } from 'node:crypto';
import { chmodSync, readFileSync } from 'node:fs';

import { isWireguardKey, WIREGUARD_KEY_BYTES } from '../../lib/net/wireguard-key';
import { hasErrorCode, writeFileDurable } from '../files';

/** Both in base64, as `wg` prints them. */
export interface WireguardKeys {
  readonly privateKey: string;
  readonly publicKey: string;
}

/**
 * The node's keys, from the file of the private one, which is made when it is not there: whoever removes it has the node
 * start with another. It never leaves the machine. @throws Error when the file holds no key
 */
export const wireguardKeysAt = (path: string): WireguardKeys => {
  const known = read(path);
  if (known !== undefined && !isWireguardKey(known))
    throw new Error(`${path} holds no key of WireGuard: remove it to have one made`);
  const bytes =
    known === undefined ? randomBytes(WIREGUARD_KEY_BYTES) : Buffer.from(known, 'base64');
  const privateKey = clamped(bytes).toString('base64');
  if (known === undefined) writeFileDurable(path, `${privateKey}\n`);
  // Somebody may have put it there.
  else chmodSync(path, 0o600);
  return { privateKey, publicKey: publicKeyOf(clamped(bytes)) };
};

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return undefined;
    throw error;
  }
};

/** As every use of it begins, so that it is compared as the kernel keeps it. Source: RFC 7748, section 5 */
const clamped = (key: Buffer): Buffer => {
  const bytes = Buffer.from(key);
  bytes[0] = (bytes[0] ?? 0) & 248;
  bytes[31] = ((bytes[31] ?? 0) & 127) | 64;
  return bytes;
};

const publicKeyOf = (privateKey: Buffer): string => {
  const key = Buffer.concat([PKCS8_X25519, privateKey]);
  const publicKey = createPublicKey(createPrivateKey({ key, format: 'der', type: 'pkcs8' }));
  const { x = '' } = publicKey.export({ format: 'jwk' });
  return Buffer.from(x, 'base64url').toString('base64');
};

/** What comes before the bytes of the key. Source: RFC 8410, section 7 */
const PKCS8_X25519 = Buffer.from('302e020100300506032b656e04220420', 'hex');
