import { IP_ADDRESSES } from '../resources';
import { defineKind } from './kind';

/** What services hold: nobody writes it. */
export const IP_ADDRESS_KIND = defineKind(IP_ADDRESSES, {
  shortNames: ['ip'],
  verbs: ['get', 'list', 'watch'],
  validateCreate: () => [],
  validateUpdate: () => [],
});
