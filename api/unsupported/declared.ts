import { presentIn, type Rules } from './words';

/*
 * Kinds that are kept, and that nothing acts on yet: their authors are told what does not happen.
 */

/** A sentence for a part of an object that says something, and is without effect. */
const declared = (part: string, why: string, isSaid: (value: unknown) => boolean = isFilled) => {
  const rules: Rules = { [part]: { why: `not acted on yet; ${why}`, when: isSaid } };
  return (object: object): readonly string[] =>
    presentIn(object, rules, '').map((text) => text.slice(1));
};

/** What a body lacks may be there, and empty. */
const isFilled = (value: unknown): boolean =>
  typeof value === 'object'
    ? value !== null && Object.keys(value).length > 0
    : value !== '' && value !== undefined;


