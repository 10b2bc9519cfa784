import { PODS } from '../../../api/resources';
import type { Fields } from '../kinds/mutable';
import { isWriteOf, objectOf, type AdmissionAttributes } from './attributes';

export const isPod = (asked: AdmissionAttributes): boolean => isWriteOf(asked, PODS);

export const isNewPod = (asked: AdmissionAttributes): boolean =>
  asked.operation === 'CREATE' && isPod(asked);

/** The spec of the object, which a plugin may change in `admit`. */
export const specIn = (asked: AdmissionAttributes): Fields => (objectOf(asked).spec ??= {});
