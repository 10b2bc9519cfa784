import { CelRuntimeError } from './errors';
import { readDuration, readTimestamp } from './library/conversions';
import { compileRegex } from './library/regex';
import type { Issue } from './source';
import type { Expr } from './syntax';

/** Texts that are known when the expression is created are looked at then. */
export const checkLiteralArguments = (name: string, args: readonly Expr[]): readonly Issue[] => {
  const read = READERS[name];
  const last = args.at(-1);
  const text = name === 'findAll' ? args[0] : last;
  if (read === undefined || text?.kind !== 'literal' || typeof text.value !== 'string') return [];
  try {
    read(text.value);
    return [];
  } catch (error) {
    if (error instanceof CelRuntimeError)
      return [{ at: text.at, message: `invalid ${name} argument` }];
    throw error;
  }
};

const READERS: Readonly<Record<string, ((text: string) => unknown) | undefined>> = {
  ...{ duration: readDuration, timestamp: readTimestamp },
  ...{ matches: compileRegex, find: compileRegex, findAll: compileRegex },
};
