export const NOT_STARTED = 'not supported by Dhow yet; the pod will not start';
export const IGNORED = 'not supported by Dhow yet; it has no effect';

/** Why a field has no effect, and of which values that is true: of all, when it does not say. */
export interface Rule {
  readonly why: string;
  readonly when?: (value: unknown) => boolean;
}

export type Rules = Readonly<Record<string, Rule>>;

/** The same reason for several fields, whatever they hold. */
export const always = (why: string, ...names: readonly string[]): Rules =>
  Object.fromEntries(names.map((name) => [name, { why }]));

export const is =
  (wanted: unknown) =>
  (value: unknown): boolean =>
    value === wanted;

/** One sentence for each field of `value` that a rule holds for. */
export const presentIn = (
  value: object | null | undefined,
  rules: Rules,
  field: string,
): readonly string[] => {
  if (value === null || value === undefined) return NONE;
  const sentences: string[] = [];
  for (const name in rules) {
    if (!Object.hasOwn(value, name)) continue;
    const { why, when } = rules[name] as Rule;
    if (when?.((value as Record<string, unknown>)[name]) !== false)
      sentences.push(`${field}.${name}: ${why}`);
  }
  return sentences;
};

const NONE: readonly string[] = [];
