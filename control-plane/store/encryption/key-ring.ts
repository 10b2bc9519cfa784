import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { KEY_ID, SECRET_BYTES, type EncryptionKey } from '../../../lib/encryption-keys';
import { ENCRYPTED_RESOURCE, type ValueCipher } from './value-cipher';

/**
 * AES-256-GCM, each value under a key and a nonce of its own, which HKDF (RFC 5869) derives from the
 * ring's key and 16 random bytes: with random nonces under one key, GCM bears 2^32 values and no more
 * (NIST SP 800-38D §8.3), and no server could tell how many there were. Sealed:
 *
 *     byte 0   how long the key's name is, n
 *     n        the key's name, ASCII
 *     16       what is derived from
 *     …        the encrypted value, as long as the plain one
 *     16       the tag, over the value and its context
 */
export class KeyRing implements ValueCipher {
  private byId: ReadonlyMap<string, EncryptionKey> = new Map();
  private current: EncryptionKey;

  /** @param keys The first seals, all of them open. There is at least one. */
  constructor(
    keys: readonly EncryptionKey[],
    private readonly isCovered: (resource: string) => boolean = isEncrypted,
  ) {
    this.current = this.use(keys);
  }

  /** From now on the first of these seals. A key that was known before still opens. */
  replace(keys: readonly EncryptionKey[]): void {
    this.current = this.use(keys);
  }

  get currentKeyId(): string {
    return this.current.id;
  }

  keys(): readonly EncryptionKey[] {
    return [...this.byId.values()];
  }

  hasKey(id: string): boolean {
    return this.byId.has(id);
  }

  covers(resource: string): boolean {
    return this.isCovered(resource);
  }

  seal(plain: Uint8Array, context: Uint8Array): Buffer {
    const salt = randomBytes(SALT_BYTES);
    const { key, nonce } = derived(this.current, salt);
    const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(context);
    const name = Buffer.from(this.current.id, 'latin1');
    const sealed = [Buffer.of(name.length), name, salt, cipher.update(plain), cipher.final()];
    return Buffer.concat([...sealed, cipher.getAuthTag()]);
  }

  open(sealed: Uint8Array, context: Uint8Array): Uint8Array | undefined {
    const id = this.keyIdOf(sealed);
    const known = id === undefined ? undefined : this.byId.get(id);
    if (id === undefined || known === undefined) return undefined;
    const saltAt = 1 + id.length;
    const [textAt, tagAt] = [saltAt + SALT_BYTES, sealed.length - TAG_BYTES];
    if (tagAt < textAt) return undefined;
    const { key, nonce } = derived(known, sealed.subarray(saltAt, textAt));
    const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(context);
    decipher.setAuthTag(sealed.subarray(tagAt));
    const plain = decipher.update(sealed.subarray(textAt, tagAt));
    try {
      return Buffer.concat([plain, decipher.final()]);
    } catch {
      return undefined;
    }
  }

  keyIdOf(sealed: Uint8Array): string | undefined {
    const length = sealed[0] ?? 0;
    if (length === 0 || sealed.length <= length) return undefined;
    const id = Buffer.from(sealed.subarray(1, 1 + length)).toString('latin1');
    return KEY_ID.test(id) ? id : undefined;
  }

  private use(keys: readonly EncryptionKey[]): EncryptionKey {
    const [first] = keys;
    if (first === undefined) throw new Error('a ring of no keys');
    const former = this.keys().filter(({ id }) => !keys.some((key) => key.id === id));
    this.byId = new Map([...keys, ...former].map((key) => [key.id, key]));
    return first;
  }
}

const derived = ({ secret }: EncryptionKey, salt: Uint8Array) => {
  const bytes = Buffer.from(hkdfSync('sha256', secret, salt, PURPOSE, SECRET_BYTES + NONCE_BYTES));
  return { key: bytes.subarray(0, SECRET_BYTES), nonce: bytes.subarray(SECRET_BYTES) };
};

const isEncrypted = (resource: string): boolean => resource === ENCRYPTED_RESOURCE;
const ALGORITHM = 'aes-256-gcm';
const PURPOSE = 'dhow stored object';
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
