import { RE2JS, RE2JSException } from 're2js';

/** A regular expression of RE2, which is what Go has: matching takes time in proportion to the text. */
export interface Re2 {
  /** Is there a match anywhere in the text? @throws Re2CostError for a very large text and pattern */
  test(text: string): boolean;
}

/** No expression; the message is in Go's words. */
export class Re2SyntaxError extends Error {
  override readonly name = 'Re2SyntaxError';
}

/** Pattern and text are so large together that a match would take too long. */
export class Re2CostError extends Error {
  override readonly name = 'Re2CostError';
}

/** @throws Re2SyntaxError */
export const compileRe2 = (pattern: string): Re2 => {
  const compiled = parseRe2(pattern);
  const size = compiled.programSize();
  return {
    test: (text) => {
      if (size * text.length > COST_MAX)
        throw new Re2CostError('the text is too long for the expression');
      return compiled.matcher(text).find();
    },
  };
};

/** The library's own object, for who needs more than `test`. @throws Re2SyntaxError */
export const parseRe2 = (pattern: string): RE2JS => {
  if (pattern.length > PATTERN_MAX)
    throw new Re2SyntaxError('error parsing regexp: expression is too large');
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    if (error instanceof RE2JSException || error instanceof RangeError)
      throw new Re2SyntaxError(error.message, { cause: error });
    throw error;
  }
};

const PATTERN_MAX = 16 * 1024;
/** Instructions of the compiled pattern by characters: some 100 ms at worst. */
const COST_MAX = 20_000_000;
