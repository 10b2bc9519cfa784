import { STRING } from '../types';
import { fn, type Library } from './function';

/** Where patches are made. Source: upstream's pkg/cel/library/jsonpatch.go. */
export const JSON_PATCH_LIBRARY: Library = {
  'jsonpatch.escapeKey': [
    fn([STRING], STRING, (meter, key) => {
      meter.traverse(key.length);
      return key.replaceAll('~', '~0').replaceAll('/', '~1');
    }),
  ],
};
