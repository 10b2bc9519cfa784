import { parseJson } from '../../lib/json';

/** What an agent sent as a JSON object; undefined for anything else. Its fields are still unchecked. */
export const parseObject = <T extends object>(bytes: Uint8Array): Partial<T> | undefined => {
  try {
    const value = parseJson(bytes);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
};
