import { UsageError } from './usage-error';

/** Seconds of `10s`, `5m`, `1h`, as given for `flag`. @throws UsageError */
export const durationSeconds = (flag: string, text: string): number => {
  const [, count, unit = 's'] = /^(\d{1,9})(s|m|h)$/.exec(text) ?? [];
  if (count !== undefined) return Number(count) * (UNIT_SECONDS[unit] ?? 1);
  throw new UsageError(`${flag}: "${text}" is not a duration such as 10s, 5m, 1h`);
};

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };
