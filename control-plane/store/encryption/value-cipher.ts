/** What people ask to be kept from whoever reads a disk or a backup. */
export const ENCRYPTED_RESOURCE = 'secrets';

/** Encrypts what lies in etcd, so that its files and its backups alone tell nobody what is in it. */
export interface ValueCipher {
  /** Are objects of that resource (`secrets`) to be encrypted? */
  covers(resource: string): boolean;
  /**
   * By the newest key. What was sealed in one context cannot be opened in another: a value that somebody
   * moves from one name to another is worth nothing there.
   */
  seal(plain: Uint8Array, context: Uint8Array): Buffer;
  /** Undefined where the key is unknown, or the value or its context are not those that were sealed. */
  open(sealed: Uint8Array, context: Uint8Array): Uint8Array | undefined;
  /** By which key it was sealed. */
  keyIdOf(sealed: Uint8Array): string | undefined;
  /** Of the key that seals now. */
  readonly currentKeyId: string;
  hasKey(id: string): boolean;
}
