import type { ApiObject } from './types';

/** In the data folder of a server. */
export const ENCRYPTION_KEY_FILE = 'pki/encryption-keys.json';

export const ENCRYPTION_GROUP = 'encryption.dhow.dev';

/** A key of the server's, by its name, without the key itself. */
export interface EncryptionKeyView extends ApiObject {
  readonly status: {
    /** Is what is written now encrypted with it? */
    readonly current: boolean;
    /** How many Secrets are. */
    readonly secrets: number;
  };
}
