/** Why a text is no schedule, in the words of the parser that upstream uses; undefined if it is one. */
export const scheduleProblem = (text: string): string | undefined => {
  if (text === '') return 'empty spec string';
  if (text.startsWith('@')) return descriptorProblem(text);
  const fields = text.trim().split(/\s+/).filter(Boolean);
  if (fields.length !== FIELDS.length)
    return `expected exactly 5 fields, found ${fields.length}: [${fields.join(' ')}]`;
  for (const [i, bounds] of FIELDS.entries())
    for (const range of (fields[i] ?? '').split(',').filter(Boolean)) {
      const problem = rangeProblem(range, bounds);
      if (problem !== undefined) return problem;
    }
  return undefined;
};

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
const DESCRIPTORS: ReadonlySet<string> = new Set([
  '@yearly',
  '@annually',
  '@monthly',
  '@weekly',
  '@daily',
  '@midnight',
  '@hourly',
]);
const DURATION = /^[-+]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/;

const descriptorProblem = (text: string): string | undefined => {
  if (DESCRIPTORS.has(text)) return undefined;
  if (!text.startsWith('@every ')) return `unrecognized descriptor: ${text}`;
  const duration = text.slice('@every '.length);
  return DURATION.test(duration)
    ? undefined
    : `failed to parse duration ${text}: time: invalid duration "${duration}"`;
};

/** `5`, `1-5`, `*`, each with or without a step. */
const rangeProblem = (text: string, bounds: Bounds): string | undefined => {
  const [range = '', step, ...moreSteps] = text.split('/');
  const [low = '', high, ...moreHyphens] = range.split('-');
  const isAll = low === '*' || low === '?';
  const ends = isAll ? [] : [low, ...(high === undefined ? [] : [high])];
  for (const each of ends) {
    const problem = numberProblem(each, bounds);
    if (problem !== undefined) return problem;
  }
  if (!isAll && moreHyphens.length > 0) return `too many hyphens: ${text}`;
  if (moreSteps.length > 0) return `too many slashes: ${text}`;
  if (step !== undefined) {
    const problem = numberProblem(step);
    if (problem !== undefined) return problem;
  }
  const start = isAll ? bounds.min : numberOf(low, bounds);
  const single = step === undefined ? start : bounds.max;
  const end = isAll ? bounds.max : high === undefined ? single : numberOf(high, bounds);
  return boundsProblem({ start, end, step: step === undefined ? 1 : Number(step) }, bounds, text);
};

const boundsProblem = (
  { start, end, step }: { readonly start: number; readonly end: number; readonly step: number },
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
