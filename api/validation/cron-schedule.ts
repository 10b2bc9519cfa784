/** When something is to happen again and again, as the parser that upstream uses (robfig/cron) reads it. */
export type Schedule =
  | { readonly kind: 'every'; readonly everyMs: number }
  | {
      readonly kind: 'calendar';
      /** In this zone, where the text names one itself. */
      readonly zone: string | undefined;
      readonly minutes: readonly number[];
      readonly hours: readonly number[];
      /** Days of the month, and of the week from Sunday as 0; undefined leaves the other to decide. */
      readonly days: readonly number[] | undefined;
      readonly months: readonly number[];
      readonly weekdays: readonly number[] | undefined;
    };

/** Why a text is no schedule, in the words of the parser that upstream uses; undefined if it is one. */
export const scheduleProblem = (text: string): string | undefined => {
  const rest = text.replace(ZONE_PREFIX, '');
  if (rest === '') return 'empty spec string';
  if (rest.startsWith('@')) return descriptorProblem(rest);
  const fields = fieldsOf(rest);
  if (fields.length !== FIELDS.length)
    return `expected exactly 5 fields, found ${fields.length}: [${fields.join(' ')}]`;
  for (const [i, bounds] of FIELDS.entries())
    for (const range of rangesIn(fields[i])) {
      const problem = rangeProblem(range, bounds);
      if (problem !== undefined) return problem;
    }
  return undefined;
};

/** What the text says; undefined where `scheduleProblem` finds fault. */
export const parseSchedule = (text: string): Schedule | undefined => {
  if (scheduleProblem(text) !== undefined) return undefined;
  const rest = text.replace(ZONE_PREFIX, '');
  if (rest.startsWith(EVERY))
    return { kind: 'every', everyMs: everyMsOf(rest.slice(EVERY.length)) };
  const fields = fieldsOf(DESCRIPTORS.get(rest) ?? rest);
  const at = (index: number): readonly number[] => {
    const bounds = FIELDS[index] ?? NO_BOUNDS;
    const values = rangesIn(fields[index]).flatMap((range) => valuesIn(range, bounds));
    return [...new Set(values)].sort((a, b) => a - b);
  };
  const unlessAll = (index: number) => (isAll(fields[index]) ? undefined : at(index));
  return {
    kind: 'calendar',
    zone: ZONE_PREFIX.exec(text)?.[1],
    ...{ minutes: at(0), hours: at(1), days: unlessAll(2), months: at(3), weekdays: unlessAll(4) },
  };
};

/** An older schedule may begin with its zone. */
const ZONE_PREFIX = /^(?:CRON_)?TZ=(\S+)\s+/;

const fieldsOf = (text: string): readonly string[] => text.trim().split(/\s+/).filter(Boolean);

const rangesIn = (field = ''): readonly string[] => field.split(',').filter(Boolean);

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}

const MONTHS = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ');
const DAYS = 'sun mon tue wed thu fri sat'.split(' ');
const FIELDS: readonly Bounds[] = [
  { min: 0, max: 59 },
  { min: 0, max: 23 },
  { min: 1, max: 31 },
  { min: 1, max: 12, names: MONTHS },
  { min: 0, max: 6, names: DAYS },
];
const NO_BOUNDS: Bounds = { min: 0, max: 0 };
const EVERY = '@every ';
const DESCRIPTORS: ReadonlyMap<string, string> = new Map([
  ['@yearly', '0 0 1 1 *'],
  ['@annually', '0 0 1 1 *'],
  ['@monthly', '0 0 1 * *'],
  ['@weekly', '0 0 * * 0'],
  ['@daily', '0 0 * * *'],
  ['@midnight', '0 0 * * *'],
  ['@hourly', '0 * * * *'],
]);
const DURATION = /^[-+]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/;

const descriptorProblem = (text: string): string | undefined => {
  if (DESCRIPTORS.has(text)) return undefined;
  if (!text.startsWith(EVERY)) return `unrecognized descriptor: ${text}`;
  const duration = text.slice(EVERY.length);
  return DURATION.test(duration)
    ? undefined
    : `failed to parse duration ${text}: time: invalid duration "${duration}"`;
};

/** Whole seconds, and one at least. */
const everyMsOf = (duration: string): number => {
  const parts = [...duration.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g)];
  const ms = parts.reduce((sum, [, amount, unit = '']) => sum + Number(amount) * unitMs(unit), 0);
  return duration.startsWith('-') ? 1000 : Math.max(1000, Math.floor(ms / 1000) * 1000);
};

const unitMs = (unit: string): number => {
  if (unit === 'ns') return 1e-6;
  if (unit === 'ms') return 1;
  if (unit === 's') return 1000;
  if (unit === 'm') return 60_000;
  return unit === 'h' ? 3_600_000 : 1e-3;
};

/** `5`, `1-5`, `*`, each with or without a step. */
const rangeProblem = (text: string, bounds: Bounds): string | undefined => {
  const { isStar, low, high, step, moreHyphens, moreSteps } = partsOf(text);
  const ends = isStar ? [] : [low, ...(high === undefined ? [] : [high])];
  for (const each of ends) {
    const problem = numberProblem(each, bounds);
    if (problem !== undefined) return problem;
  }
  if (!isStar && moreHyphens > 0) return `too many hyphens: ${text}`;
  if (moreSteps > 0) return `too many slashes: ${text}`;
  if (step !== undefined) {
    const problem = numberProblem(step);
    if (problem !== undefined) return problem;
  }
  return boundsProblem(rangeOf(text, bounds), bounds, text);
};

const partsOf = (text: string) => {
  const [range = '', step, ...moreSteps] = text.split('/');
  const [low = '', high, ...moreHyphens] = range.split('-');
  const counts = { moreHyphens: moreHyphens.length, moreSteps: moreSteps.length };
  return { isStar: low === '*' || low === '?', low, high, step, ...counts };
};

interface Range {
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

/** Of a text whose numbers are some. `5/15` goes on to the end. */
const rangeOf = (text: string, bounds: Bounds): Range => {
  const { isStar, low, high, step } = partsOf(text);
  const start = isStar ? bounds.min : numberOf(low, bounds);
  const single = step === undefined ? start : bounds.max;
  const end = isStar ? bounds.max : high === undefined ? single : numberOf(high, bounds);
  return { start, end, step: step === undefined ? 1 : Number(step) };
};

const valuesIn = (text: string, bounds: Bounds): readonly number[] => {
  const { start, end, step } = rangeOf(text, bounds);
  return Array.from({ length: Math.floor((end - start) / step) + 1 }, (_, i) => start + i * step);
};

/** A star says nothing of the day, unless it goes in steps. */
const isAll = (field: string | undefined): boolean =>
  rangesIn(field).some((range) => partsOf(range).isStar && rangeOf(range, NO_BOUNDS).step === 1);

const boundsProblem = (
  { start, end, step }: Range,
  { min, max }: Bounds,
  text: string,
): string | undefined => {
  if (start < min) return `beginning of range (${start}) below minimum (${min}): ${text}`;
  if (end > max) return `end of range (${end}) above maximum (${max}): ${text}`;
  if (start > end) return `beginning of range (${start}) beyond end of range (${end}): ${text}`;
  return step === 0 ? `step of range should be a positive number: ${text}` : undefined;
};

const numberProblem = (text: string, { names = [] }: Partial<Bounds> = {}): string | undefined => {
  if (names.includes(text.toLowerCase())) return undefined;
  if (!/^[-+]?\d{1,18}$/.test(text))
    return `failed to parse int from ${text}: strconv.Atoi: parsing "${text}": invalid syntax`;
  return Number(text) < 0 ? `negative number (${Number(text)}) not allowed: ${text}` : undefined;
};

const numberOf = (text: string, { names = [], min }: Bounds): number => {
  const index = names.indexOf(text.toLowerCase());
  return index < 0 ? Number(text) : index + min;
};
