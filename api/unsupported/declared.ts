import { presentIn, type Rules } from './words';

/*
 * Kinds that are kept, and that nothing acts on yet: their authors are told what does not happen.
 */

/** A sentence for each part of an object that says something, and is without effect. */
const declared =
  (why: string, ...parts: readonly string[]) =>
  (object: object): readonly string[] => {
    const rule = { why: `not acted on yet; ${why}`, when: isSaid };
    const rules: Rules = Object.fromEntries(parts.map((part) => [part, rule]));
    return presentIn(object, rules, '').map((text) => text.slice(1));
  };

/** What a body lacks may be there, and empty. */
const isSaid = (value: unknown): boolean =>
  typeof value !== 'object' || (value !== null && Object.keys(value).length > 0);

export const unsupportedInDisruptionBudget = declared('evictions do not look at it', 'spec');
