/**
 * What a field of the API does: at least one of these, several where it depends on the value. All
 * below a field that is not `shown` is covered by its row.
 */
export interface FieldEffect {
  /** Tests that show its effect: `path/of/file.test.ts: title`. */
  readonly shown?: readonly string[];
  /** Values that are stored and have no effect: their author is warned. */
  readonly warned?: readonly unknown[];
  /** Values that are refused, with the field's name. */
  readonly refused?: readonly unknown[];
  /** Why it is stored and returned, and nothing else is to be expected of it. */
  readonly kept?: string;
}

/** The effect of each field of a definition, by the definition's name without its package. */
export type Effects = Readonly<Record<string, Readonly<Record<string, FieldEffect>>>>;

export const shown = (...tests: readonly string[]): FieldEffect => ({ shown: tests });
export const warned = (...values: readonly unknown[]): FieldEffect => ({ warned: values });
export const refused = (...values: readonly unknown[]): FieldEffect => ({ refused: values });
export const kept = (why: string): FieldEffect => ({ kept: why });

/** The same effect for several fields. */
export const all = (
  names: readonly string[],
  effect: FieldEffect,
): Readonly<Record<string, FieldEffect>> => Object.fromEntries(names.map((name) => [name, effect]));

/** Names tests of one file. */
export const tests =
  (file: string) =>
  (title: string): string =>
    `${file}: ${title}`;
