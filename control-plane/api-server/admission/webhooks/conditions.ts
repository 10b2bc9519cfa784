import type { ServedKind } from '../../kinds/served-kind';
import type { AdmissionAttributes } from '../attributes';
import { holdConditions } from '../policies/evaluate';
import { requestValues, type AccessJudge } from '../policies/request-values';
import { refusal } from '../refusal';
import type { Hook } from './hook';

/**
 * Is the webhook to be asked, by its match conditions? `shown` is what it would be sent. One that fails
 * open is not asked when they have no answer. @throws ApiError otherwise, in upstream's words
 */
export const meetsConditions = async (
  { conditions, failsOpen }: Hook,
  shown: AdmissionAttributes,
  matched: ServedKind,
  judge: AccessJudge,
): Promise<boolean> => {
  if (conditions.length === 0) return true;
  const values = requestValues(shown, matched, { namespace: undefined, judge });
  const met = await holdConditions(conditions, values);
  if (typeof met === 'boolean') return met;
  if (failsOpen) return false;
  throw refusal(shown, met.message);
};
