import type * as core from 'kubernetes-types/core/v1';

/**
 * What a limit on containers leaves open: the limit is the most that is allowed, the request is the
 * limit, or else the least that is allowed. Changes the limit range in place.
 */
export const defaultLimitRange = ({ spec }: core.LimitRange): void => {
  for (const item of (spec?.limits as core.LimitRangeItem[] | null | undefined) ?? []) {
    if (item.type !== 'Container') continue;
    const limit = { ...item.max, ...item.default };
    const request = { ...item.min, ...limit, ...item.defaultRequest };
    if (Object.keys(limit).length > 0) item.default = limit;
    if (Object.keys(request).length > 0) item.defaultRequest = request;
  }
};
