/** One of the forms that a client takes. */
export interface AcceptClause {
  /** `application/json`, or with stars; in lower case. */
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/**
 * What `Accept` asks for, best first: by quality, then what is named in full before stars, then as
 * written. Without a header everything will do. What does not parse as a clause is passed over.
 */
export const acceptClauses = (header: string | undefined): readonly AcceptClause[] => {
  if (header === undefined || header.trim() === '') return [ANYTHING];
  return header
    .split(',', CLAUSES_MAX)
    .flatMap((text) => parseClause(text) ?? [])
    .sort((a, b) => b.quality - a.quality || starsIn(a.type) - starsIn(b.type))
    .filter(({ quality }) => quality > 0);
};

/** Would this clause take that type? */
export const takes = ({ type }: AcceptClause, offered: string): boolean =>
  type === offered || type === '*/*' || type === `${offered.split('/', 1)[0] ?? ''}/*`;

const parseClause = (text: string) => {
  const [type = '', ...rest] = text.split(';').map((part) => part.trim());
  if (!/^[^\s/]+\/[^\s/]+$/.test(type)) return undefined;
  const parameters = new Map(
    rest.map((part): [string, string] => {
      const [name = '', value = ''] = part.split('=', 2);
      return [name.trim().toLowerCase(), value.trim().replace(/^"(.*)"$/, '$1')];
    }),
  );
  const quality = Number(parameters.get('q') ?? 1);
  return { type: type.toLowerCase(), parameters, quality: Number.isNaN(quality) ? 1 : quality };
};

const starsIn = (type: string): number => type.split('*').length;

const ANYTHING: AcceptClause = { type: '*/*', parameters: new Map() };
/** No client offers more; the header itself is bounded too. */
const CLAUSES_MAX = 64;
