import {
  BOOL,
  BYTES,
  DOUBLE,
  DURATION,
  DYN,
  INT,
  listOf,
  mapOf,
  NULL,
  optionalOf,
  STRING,
  TIMESTAMP,
  opaque,
  typeName,
  UINT,
  type CelType,
} from '../types';
import { ADDRESS_LIBRARY } from './addresses';
import { AUTHORIZER_LIBRARY } from './authorizer';
import { CONVERSIONS } from './conversions';
import { FORMAT_LIBRARY } from './formats';
import type { Library, Overload } from './function';
import { LIST_LIBRARY, SET_LIBRARY } from './lists';
import { OPERATORS } from './operators';
import { OPTIONAL_LIBRARY, UNWRAP_LIBRARY } from './optionals';
import { QUANTITY_LIBRARY } from './quantities';
import { REGEX_LIBRARY } from './regex';
import { SEMVER_LIBRARY } from './semver';
import { STRING_LIBRARY } from './strings';
import { TIME_LIBRARY } from './times';
import { URL_LIBRARY } from './urls';

/** The type of types; it has a name of its own. */
const TYPE = opaque('type');

/** All functions, as upstream's API server 1.36 has them. Some have overloads in several libraries. */
export const LIBRARY: ReadonlyMap<string, readonly Overload[]> = merge([
  ...[OPERATORS, CONVERSIONS, TIME_LIBRARY, STRING_LIBRARY, OPTIONAL_LIBRARY, UNWRAP_LIBRARY],
  ...[LIST_LIBRARY, SET_LIBRARY, REGEX_LIBRARY, URL_LIBRARY, ADDRESS_LIBRARY, FORMAT_LIBRARY],
  ...[QUANTITY_LIBRARY, SEMVER_LIBRARY, AUTHORIZER_LIBRARY],
]);

/** The names of types, which are values: `type(x) == string`. */
export const TYPE_CONSTANTS: ReadonlyMap<string, CelType> = new Map(
  [
    ...[BOOL, BYTES, DOUBLE, DURATION, INT, NULL, STRING, TIMESTAMP, UINT],
    ...[listOf(DYN), mapOf(DYN, DYN), optionalOf(DYN), TYPE],
    ...opaqueTypes(),
  ].map((type) => [typeName(type), type]),
);

function merge(libraries: readonly Library[]): ReadonlyMap<string, readonly Overload[]> {
  const all = new Map<string, readonly Overload[]>();
  for (const library of libraries)
    for (const [name, overloads] of Object.entries(library))
      all.set(name, [...(all.get(name) ?? []), ...overloads]);
  return all;
}

function opaqueTypes(): readonly CelType[] {
  return [...LIBRARY.values()]
    .flat()
    .flatMap(({ args, result }) => [...args, result])
    .filter(({ kind }) => kind === 'opaque');
}
