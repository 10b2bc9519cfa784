import { SelectorError } from './selectors';

/** One term of a field selector. `==` is read as `=`. */
export interface FieldRequirement {
  readonly field: string;
  readonly operator: '=' | '!=';
  readonly value: string;
}

/**
 * Parses `spec.nodeName=node-1,status.phase!=Failed`; `\,`, `\=` and `\\` stand for themselves.
 * @throws SelectorError
 */
export const parseFieldSelector = (text: string): readonly FieldRequirement[] =>
  splitTerms(text)
    .filter((term) => term !== '')
    .map((term) => parseTerm(text, term));

/**
 * True when every term holds. `valueOf` gives a field's value.
 * A field the kind does not offer must have been refused before: see `checkFields`.
 */
export const matchesFields = (
  requirements: readonly FieldRequirement[],
  valueOf: (field: string) => string,
): boolean =>
  requirements.every(
    ({ field, operator, value }) => (valueOf(field) === value) === (operator === '='),
  );

/** @throws SelectorError naming the first field that is not among `supported`. */
export const checkFields = (
  requirements: readonly FieldRequirement[],
  supported: readonly string[],
): void => {
  for (const { field } of requirements) {
    if (!supported.includes(field)) {
      throw new SelectorError(`field label not supported: ${field}`);
    }
  }
};

const splitTerms = (text: string): readonly string[] => {
  const terms: string[] = [];
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === ',') {
      terms.push(text.slice(start, i));
      start = i + 1;
    }
  }
  return [...terms, text.slice(start)];
};

const parseTerm = (text: string, term: string): FieldRequirement => {
  const match = /^((?:[^\\=!]|\\.|!(?!=))*)(!=|==|=)([^]*)$/.exec(term);
  if (match === null) {
    throw new SelectorError(`invalid selector: '${text}'; can't understand '${term}'`);
  }
  const [, field = '', operator, value = ''] = match;
  return { field, operator: operator === '!=' ? '!=' : '=', value: unescape(value) };
};

const unescape = (value: string): string => {
  if (/(?:^|[^\\])(?:\\\\)*(?:=|\\[^\\,=]|\\$)/.test(value)) {
    throw new SelectorError(`invalid field selector value: ${JSON.stringify(value)}`);
  }
  return value.replace(/\\([\\,=])/g, '$1');
};
