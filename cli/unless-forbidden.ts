import { hasReason } from '../api/errors';

/** Undefined for who may not ask. */
export const unlessForbidden = async <T>(asked: Promise<T>): Promise<T | undefined> => {
  try {
    return await asked;
  } catch (error) {
    if (hasReason(error, 'Forbidden')) return undefined;
    throw error;
  }
};
