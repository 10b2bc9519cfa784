import { defineKind } from '../../../api/kinds';
import type { EncryptionKeyView } from '../../../api/encryption-keys';
import { ENCRYPTION_KEYS } from '../../../api/resources';
import type { ApiObject } from '../../../api/types';
import { AGE, NAME, printer, text } from '../printing/columns';
import { serveKind, type ServedKind } from './served-kind';

const statusOf = (object: ApiObject) => (object as EncryptionKeyView).status;

const PRINTER = printer(
  NAME,
  text('Current', (object) => String(statusOf(object).current)),
  text('Secrets', (object) => String(statusOf(object).secrets)),
  AGE,
);

const KIND = defineKind(ENCRYPTION_KEYS, {
  verbs: ['get', 'list'],
  validateCreate: () => [],
  validateUpdate: () => [],
});

export const ENCRYPTION_KEY: ServedKind = {
  ...serveKind(KIND, { printer: PRINTER }),
  whyReadOnly:
    'EncryptionKeys show the keys of the server: dhow secrets rotate-keys makes a new one',
};
