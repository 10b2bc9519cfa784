import { FIELD_EFFECTS, WELL_KNOWN, type FieldEffect } from '../../api/schema/effects';
import { homesOf, metadataHomesOf, type Home } from './field-places';

/** Every row of the tables of fields. */
export const ROWS = Object.entries(FIELD_EFFECTS).flatMap(([definition, effects]) =>
  Object.entries(effects).map(([field, effect]) => ({ definition, field, effect })),
);

/** One value of a field, or of a label or annotation, in one place. */
export interface Sample {
  readonly title: string;
  readonly home: Home;
  readonly key: string;
  readonly value: unknown;
  /** As warnings and refusals name it. */
  readonly field: string;
  /** Other values do something else. */
  readonly isOneOfSeveral: boolean;
}

/** Every sample of the tables, in every place where it can stand. */
export const samplesOf = (sort: 'warned' | 'refused'): readonly Sample[] => [
  ...ROWS.flatMap(({ definition, field: key, effect }) =>
    samples(effect, sort, homesOf(definition), key, (path) =>
      path === '' ? key : `${path}.${key}`,
    ),
  ),
  ...WELL_KNOWN.flatMap(({ kind, map, key, effect }) =>
    samples(effect, sort, metadataHomesOf(kind, map), key, (path) => `${path}[${key}]`),
  ),
];

const samples = (
  effect: FieldEffect,
  sort: 'warned' | 'refused',
  homes: readonly Home[] | undefined,
  key: string,
  fieldOf: (path: string) => string,
): readonly Sample[] => {
  const values = effect[sort] ?? [];
  if (values.length === 0) return [];
  const isOneOfSeveral = Object.keys(effect).length > 1;
  if (homes === undefined) throw new Error(`no place to plant ${key}`);
  return values.flatMap((value) =>
    homes.map((home) => {
      const field = fieldOf(home.path);
      return { title: `${home.resource.kind} ${field}`, home, key, value, field, isOneOfSeveral };
    }),
  );
};
