import { defaultSecret } from '../defaults/config';
import { SECRETS } from '../resources';
import { unsupportedInSecret } from '../unsupported';
import { validateSecret, validateSecretUpdate } from '../validation/config';
import { defineKind } from './kind';

export const SECRET_KIND = defineKind(SECRETS, {
  fields: { type: ({ type }) => type ?? '' },
  applyDefaults: defaultSecret,
  validateCreate: validateSecret,
  validateUpdate: validateSecretUpdate,
  warnings: unsupportedInSecret,
});
