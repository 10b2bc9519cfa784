import type { RE2JS } from 're2js';
import { parseRe2, Re2SyntaxError } from '../../../lib/re2';
import { CelRuntimeError } from '../errors';
import type { Meter } from '../meter';
import { INT, listOf, STRING } from '../types';
import { ArrayList, type CelList } from '../values';
import { member, type Library } from './function';

/**
 * The compiled pattern, paid for together with going once through a text of the length. Matching takes
 * time in proportion to the text, whatever the pattern: RE2's promise. @throws CelRuntimeError
 */
export const regexOf = (meter: Meter, pattern: string, textLength: number): RE2JS => {
  const compiled = known.get(pattern);
  if (compiled === undefined) meter.charge(COMPILE_COST + pattern.length * COMPILE_CHAR_COST);
  const regex = compiled ?? compileRegex(pattern);
  meter.charge(1 + textLength * (1 + regex.programSize() * STATE_COST));
  return regex;
};

/** @throws CelRuntimeError for what is no pattern, or one too large */
export const compileRegex = (pattern: string): RE2JS => {
  const before = known.get(pattern);
  if (before !== undefined) return before;
  if (pattern.length > PATTERN_MAX)
    throw new CelRuntimeError(`error parsing regexp: expression is too large`);
  const regex = parse(pattern);
  if (known.size >= KNOWN_MAX) known.delete(known.keys().next().value ?? '');
  known.set(pattern, regex);
  return regex;
};

const parse = (pattern: string): RE2JS => {
  try {
    return parseRe2(pattern);
  } catch (error) {
    if (error instanceof Re2SyntaxError) throw new CelRuntimeError(error.message);
    throw error;
  }
};

const findAll = (meter: Meter, text: string, pattern: string, limit: bigint): CelList => {
  const matcher = regexOf(meter, pattern, text.length).matcher(text);
  const found: string[] = [];
  while ((limit < 0n || BigInt(found.length) < limit) && matcher.find()) {
    meter.charge(FOUND_COST);
    found.push(matcher.group() ?? '');
  }
  return new ArrayList(found);
};

export const REGEX_LIBRARY: Library = {
  find: [
    member([STRING, STRING], STRING, (meter, text, pattern) => {
      const matcher = regexOf(meter, pattern, text.length).matcher(text);
      return matcher.find() ? (matcher.group() ?? '') : '';
    }),
  ],
  findAll: [
    member([STRING, STRING], listOf(STRING), (meter, text, pattern) =>
      findAll(meter, text, pattern, -1n),
    ),
    member([STRING, STRING, INT], listOf(STRING), findAll),
  ],
};

const known = new Map<string, RE2JS>();
const KNOWN_MAX = 256;
const PATTERN_MAX = 1000;
const COMPILE_COST = 2000;
const COMPILE_CHAR_COST = 200;
const STATE_COST = 0.02;
const FOUND_COST = 5;
