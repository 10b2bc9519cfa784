import { UsageError } from './usage-error';

/** Seconds of `10s`, `5m`, `1h`, as given for `flag`. @throws UsageError */
export const durationSeconds = (flag: string, text: string): number => {
  const [, count, unit = 's'] = /^(\d{1,9})(s|m|h)$/.exec(text) ?? [];
  if (count !== undefined) return Number(count) * (UNIT_SECONDS[unit] ?? 1);
  throw new UsageError(`${flag}: "${text}" is not a duration such as 10s, 5m, 1h`);
};

/** Milliseconds of `1m30s`, `500ms`, `0`, as Go writes durations; negative ones too. @throws UsageError */
export const durationMs = (flag: string, text: string): number => {
  const [, sign, rest = ''] =
    /^([-+]?)((?:\d{1,9}(?:\.\d{1,9})?(?:ms|s|m|h))+|0)$/.exec(text) ?? [];
  if (sign === undefined) {
    throw new UsageError(`${flag}: "${text}" is not a duration such as 500ms, 30s, 1m30s`);
  }
  const parts = [...rest.matchAll(/([\d.]+)(ms|s|m|h)/g)];
  const ms = parts.reduce((sum, [, count, unit = 's']) => {
    const unitMs = unit === 'ms' ? 1 : (UNIT_SECONDS[unit] ?? 1) * 1000;
    return sum + Number(count) * unitMs;
  }, 0);
  return sign === '-' ? -ms : ms;
};

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };
