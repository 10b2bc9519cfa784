import { isJsonObject } from '../../lib/json';
import type { Shape } from './shapes';

/** A value, and where in the whole it stands. */
export interface Place<Path> {
  readonly shape: Shape;
  readonly value: unknown;
  readonly path: Path;
}

/** The parts of a value that are decoded by themselves, in order. */
export type PlacesIn<Path> = (place: Place<Path>) => readonly Place<Path>[];

/**
 * Names the parts of a large value, inner ones first, so that each that is decoded holds no more than
 * `PART_VALUES` values that no part before it held; the value itself, which comes last and is not
 * named, neither. Between two steps at most twice as many values are named. Returns how many values
 * are left to it.
 */
export function* ahead<Path>(
  place: Place<Path>,
  placesIn: PlacesIn<Path>,
  decodePart: (place: Place<Path>) => void,
): Generator<void, number, void> {
  let count = 1;
  let waiting: Place<Path>[] = [];
  for (const each of placesIn(place)) {
    count += yield* ahead(each, placesIn, decodePart);
    waiting.push(each);
    if (count < PART_VALUES) continue;
    for (const part of waiting) decodePart(part);
    [count, waiting] = [1, []];
    yield;
  }
  return count;
}

/** By the kinds of shapes that hold others. */
export const placesOf = <Path>(
  { shape, value, path }: Place<Path>,
  below: (path: Path, struct: string, segment: string | number) => Path,
): readonly Place<Path>[] => {
  switch (shape.kind) {
    case 'struct':
      return membersOf(value).flatMap(([name, raw]) => {
        const field = shape.field(name);
        const at = below(path, shape.name, name);
        return field === undefined ? [] : [{ shape: field, value: raw, path: at }];
      });
    case 'map':
      return membersOf(value).map(([key, item]) => ({
        ...{ shape: shape.value, value: item, path: below(path, '', key) },
      }));
    case 'list':
      return (Array.isArray(value) ? (value as readonly unknown[]) : []).map((item, index) => ({
        ...{ shape: shape.item, value: item, path: below(path, '', index) },
      }));
    case 'schemaOr': {
      const schema = shape.schema();
      const inner: Shape = isJsonObject(value)
        ? schema
        : { kind: 'list', item: schema, goType: shape.goType };
      return placesOf({ shape: inner, value, path }, below);
    }
    default:
      return [];
  }
};

const membersOf = (value: unknown): readonly (readonly [string, unknown])[] =>
  isJsonObject(value) ? Object.entries(value) : [];

/** One or two milliseconds. */
export const PART_VALUES = 1000;
