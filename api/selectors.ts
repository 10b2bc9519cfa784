import { labelValueProblems, qualifiedNameProblems } from './names';
import { isOfKind } from './owners';
import type { ApiObject, LabelSelector } from './types';

export type Labels = Readonly<Record<string, string>>;

export type LabelOperator = 'in' | 'notin' | '=' | '==' | '!=' | 'exists' | '!' | 'gt' | 'lt';

export interface LabelRequirement {
  readonly key: string;
  readonly operator: LabelOperator;
  readonly values: readonly string[];
}

/** The text is no selector. `message` is the API's wording. */
export class SelectorError extends Error {
  override readonly name = 'SelectorError';
}

/**
 * Parses `app=web,tier in (a, b),!old`. An empty text gives no requirement: it selects everything.
 * @throws SelectorError
 */
export const parseLabelSelector = (text: string): readonly LabelRequirement[] =>
  new LabelSelectorParser(tokenize(text)).parse();

export const matchesRequirements = (
  requirements: readonly LabelRequirement[],
  labels: Labels = {},
): boolean => requirements.every((requirement) => matchesRequirement(requirement, labels));

/** True when `labels` satisfy a `LabelSelector` object. Absent selects nothing, `{}` everything. */
export const matchesLabelSelector = (
  selector: LabelSelector | undefined,
  labels: Labels = {},
): boolean => selector !== undefined && matchesRequirements(requirementsOf(selector), labels);

/** What an object finds its pods by. Services and ReplicationControllers say it by labels alone. */
export const podSelectorOf = (workload: ApiObject): LabelSelector | undefined => {
  const { selector } = (workload as { readonly spec?: { readonly selector?: object } }).spec ?? {};
  const isByLabels = BY_LABELS.some((kind) => isOfKind(workload, { group: '', kind }));
  if (selector === undefined || !isByLabels) return selector;
  return { matchLabels: selector as Labels };
};

const BY_LABELS = ['Service', 'ReplicationController'];

/** A `LabelSelector` object as requirements. Unknown operators match nothing (validation refuses). */
export const requirementsOf = (selector: LabelSelector): readonly LabelRequirement[] => [
  ...Object.entries(selector.matchLabels ?? {}).map(([key, value]) => ({
    key,
    operator: '=' as const,
    values: [value],
  })),
  ...(selector.matchExpressions ?? []).map(({ key, operator, values }) => ({
    key,
    operator: EXPRESSION_OPERATORS[operator] ?? ('in' as const),
    values: values ?? [],
  })),
];

/** A `LabelSelector` object in the one-line form: `app=web,tier in (a,b)`. */
export const formatLabelSelector = (selector: LabelSelector | undefined): string => {
  if (selector === undefined) return '<none>';
  const parts = requirementsOf(selector).map(formatRequirement).sort();
  return parts.length === 0 ? '<none>' : parts.join(',');
};

/** The same as Go prints the object, which is how upstream's messages show some selectors. */
export const goLabelSelector = (selector: LabelSelector | undefined): string => {
  if (selector === undefined) return 'nil';
  const labels = Object.entries(selector.matchLabels ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}: ${value},`);
  const expressions = (selector.matchExpressions ?? []).map(
    ({ key, operator, values }) =>
      `LabelSelectorRequirement{Key:${key},Operator:${operator},Values:[${(values ?? []).join(' ')}],},`,
  );
  return (
    `&LabelSelector{MatchLabels:map[string]string{${labels.join('')}},` +
    `MatchExpressions:[]LabelSelectorRequirement{${expressions.join('')}},}`
  );
};

export const formatRequirement = ({ key, operator, values }: LabelRequirement): string => {
  switch (operator) {
    case 'exists':
      return key;
    case '!':
      return `!${key}`;
    case 'in':
    case 'notin':
      return `${key} ${operator} (${[...values].sort().join(',')})`;
    case 'gt':
    case 'lt':
      return `${key}${operator === 'gt' ? '>' : '<'}${values.join(',')}`;
    case '=':
    case '==':
    case '!=':
      return `${key}${operator}${values.join(',')}`;
  }
};

const EXPRESSION_OPERATORS: Readonly<Record<string, LabelOperator>> = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: '!',
};

/** Own keys only: a label named `constructor` must not match what every object inherits. */
const labelOf = (labels: Labels, key: string): string | undefined =>
  Object.hasOwn(labels, key) ? labels[key] : undefined;

const matchesRequirement = (
  { key, operator, values }: LabelRequirement,
  labels: Labels,
): boolean => {
  const value = labelOf(labels, key);
  switch (operator) {
    case 'exists':
      return value !== undefined;
    case '!':
      return value === undefined;
    case 'in':
    case '=':
    case '==':
      return value !== undefined && values.includes(value);
    case 'notin':
    case '!=':
      return value === undefined || !values.includes(value);
    case 'gt':
    case 'lt':
      return comparesInteger(value, operator, values[0]);
  }
};

/** `gt` and `lt` compare 64-bit integers; anything else does not match. */
export const comparesInteger = (
  value: string | undefined,
  operator: 'gt' | 'lt',
  bound: string | undefined,
): boolean => {
  if (value === undefined || bound === undefined) return false;
  if (!INTEGER.test(value) || !INTEGER.test(bound)) return false;
  return operator === 'gt' ? BigInt(value) > BigInt(bound) : BigInt(value) < BigInt(bound);
};

const INTEGER = /^[+-]?\d{1,19}$/;

// ---- The text form. A token is a symbol or a word; `in` and `notin` are words where a value may be.

interface Token {
  readonly symbol: boolean;
  readonly text: string;
}

const END: Token = { symbol: true, text: '' };
const SYMBOLS = ['==', '!=', '=', '!', '>', '<', '(', ')', ','];
const TOKEN = /\s*(==|!=|[=!><(),]|[^\s=!><(),]+)/gy;
const OPERATORS: Readonly<Record<string, LabelOperator>> = {
  in: 'in',
  notin: 'notin',
  '=': '=',
  '==': '==',
  '!=': '!=',
  '>': 'gt',
  '<': 'lt',
};

const tokenize = (text: string): readonly Token[] =>
  [...text.matchAll(TOKEN)].map(([, token = '']) => ({
    symbol: SYMBOLS.includes(token),
    text: token,
  }));

class LabelSelectorParser {
  private position = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  parse(): readonly LabelRequirement[] {
    const requirements: LabelRequirement[] = [];
    while (this.peek() !== END) {
      if (!this.startsRequirement()) {
        throw new SelectorError(
          `found '${this.peek().text}', expected: !, identifier, or 'end of string'`,
        );
      }
      requirements.push(this.requirement());
      this.separator();
    }
    return requirements.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  }

  private separator(): void {
    const token = this.next();
    if (token === END) return;
    if (!isSymbol(token, ',')) {
      throw new SelectorError(`found '${token.text}', expected: ',' or 'end of string'`);
    }
    if (!this.startsRequirement()) {
      throw new SelectorError(`found '${this.peek().text}', expected: identifier after ','`);
    }
  }

  private startsRequirement(): boolean {
    return !this.peek().symbol || isSymbol(this.peek(), '!');
  }

  private requirement(): LabelRequirement {
    try {
      return this.checkedRequirement();
    } catch (error) {
      if (!(error instanceof SelectorError)) throw error;
      throw new SelectorError(`unable to parse requirement: ${error.message}`);
    }
  }

  private checkedRequirement(): LabelRequirement {
    const isAbsence = isSymbol(this.peek(), '!');
    if (isAbsence) this.next();
    const key = this.word('identifier');
    refuse('<nil>', key, qualifiedNameProblems(key));
    if (this.peek() === END || isSymbol(this.peek(), ',')) {
      return { key, operator: isAbsence ? '!' : 'exists', values: [] };
    }
    if (isAbsence) return { key, operator: '!', values: [] };
    const operator = this.operator();
    const values =
      operator === 'in' || operator === 'notin' ? this.valueSet() : [this.exactValue()];
    checkValues(key, operator, values);
    return { key, operator, values };
  }

  private operator(): LabelOperator {
    const { text } = this.next();
    const operator = Object.hasOwn(OPERATORS, text) ? OPERATORS[text] : undefined;
    if (operator === undefined) {
      throw new SelectorError(`found '${text}', expected: in, notin, =, ==, !=, gt, lt`);
    }
    return operator;
  }

  private exactValue(): string {
    return this.peek() === END || isSymbol(this.peek(), ',') ? '' : this.word('identifier');
  }

  private valueSet(): readonly string[] {
    const open = this.next();
    if (!isSymbol(open, '(')) throw new SelectorError(`found '${open.text}' expected: '('`);
    const values = new Set<string>();
    let isValueDue = true;
    for (;;) {
      const token = this.next();
      if (isSymbol(token, ')')) {
        if (isValueDue && this.position - 2 >= 0 && isSymbol(this.tokens[this.position - 2], ',')) {
          values.add('');
        }
        return [...values].sort();
      }
      if (isSymbol(token, ',')) {
        if (isValueDue) values.add('');
        isValueDue = true;
      } else if (token.symbol || !isValueDue) {
        throw new SelectorError(`found '${token.text}', expected: ',' or ')'`);
      } else {
        values.add(token.text);
        isValueDue = false;
      }
    }
  }

  private word(expected: string): string {
    const token = this.next();
    if (token.symbol) throw new SelectorError(`found '${token.text}', expected: ${expected}`);
    return token.text;
  }

  private peek(): Token {
    return this.tokens[this.position] ?? END;
  }

  private next(): Token {
    const token = this.peek();
    this.position++;
    return token;
  }
}

const isSymbol = (token: Token | undefined, text: string): boolean =>
  token !== undefined && token.symbol && token.text === text;

const refuse = (field: string, value: string, problems: readonly string[]): void => {
  if (problems.length === 0) return;
  throw new SelectorError(
    `${field}: Invalid value: ${JSON.stringify(value)}: ${problems.join('; ')}`,
  );
};

const checkValues = (key: string, operator: LabelOperator, values: readonly string[]): void => {
  if ((operator === 'in' || operator === 'notin') && values.length === 0) {
    throw new SelectorError(
      "values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty",
    );
  }
  const isComparison = operator === 'gt' || operator === 'lt';
  values.forEach((value, index) => {
    if (isComparison && !INTEGER.test(value)) {
      throw new SelectorError(
        `values[${index}]: Invalid value: ${JSON.stringify(value)}: ` +
          "for 'Gt', 'Lt' operators, the value must be an integer",
      );
    }
    refuse(`values[${index}][${key}]`, value, labelValueProblems(value));
  });
};
