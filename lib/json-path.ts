import { canonicalJson, isJsonObject } from './json';

/** The path makes no sense, or none for this document: the words are kubectl's. */
export class JsonPathError extends Error {
  override readonly name = 'JsonPathError';
}

/**
 * kubectl's JSONPath: templates of text and `{expressions}`, with fields, indices, slices, unions,
 * wildcards, `..`, filters and `{range}`. Source: kubernetes.io/docs/reference/kubectl/jsonpath.
 */
export interface JsonPath {
  /** The text of the template for a document; what is missing is empty. @throws JsonPathError */
  readonly render: (document: unknown) => string;
}

/** @throws JsonPathError, in kubectl's words */
export const parseJsonPath = (template: string): JsonPath => {
  const parts = new Parser(template).template();
  return { render: (document) => renderParts(parts, document, document) };
};

/** One path without braces: `.a.b`, `$.a`. The values found there. @throws JsonPathError */
export const parsePath = (path: string): ((document: unknown) => readonly unknown[]) => {
  const [part] = new Parser(`{${path}}`).template();
  const steps = part?.kind === 'path' ? part.steps : [];
  return (document) => walk(steps, [document], document);
};

/** A value as a template writes it: texts as they are, all else as JSON. */
export const valueText = (value: unknown): string => {
  if (value === undefined || value === null) return '';
  return typeof value === 'string' ? value : canonicalJson(value);
};

type Step =
  | { readonly kind: 'root' }
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'wildcard' }
  | { readonly kind: 'recursive' }
  | { readonly kind: 'slice'; readonly from?: number; readonly to?: number; readonly by: number }
  | { readonly kind: 'index'; readonly index: number }
  | { readonly kind: 'union'; readonly of: readonly Step[] }
  | { readonly kind: 'filter'; readonly left: Operand; readonly test?: Test };

type Operand = { readonly steps: readonly Step[] } | { readonly literal: unknown };

interface Test {
  readonly operator: string;
  readonly right: Operand;
}

type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'path'; readonly steps: readonly Step[] }
  | { readonly kind: 'range'; readonly steps: readonly Step[]; readonly body: readonly Part[] };

// ---- Reading

class Parser {
  private at = 0;
  private ranges = 0;

  constructor(private readonly source: string) {}

  template(): readonly Part[] {
    const parts: Part[] = [];
    while (this.at < this.source.length) {
      const brace = this.source.indexOf('{', this.at);
      const end = brace < 0 ? this.source.length : brace;
      if (end > this.at) parts.push({ kind: 'text', text: this.source.slice(this.at, end) });
      this.at = end;
      if (brace >= 0 && this.expression(parts) === 'end') return parts;
    }
    if (this.ranges > 0) throw this.fault('unexpected end of range');
    return parts;
  }

  /** All between one brace and its other; `end` when it closed a range. */
  private expression(parts: Part[]): 'end' | undefined {
    this.at += 1;
    for (;;) {
      this.blanks();
      const next = this.source[this.at];
      if (next === undefined) throw this.fault('unclosed action');
      if (next === '}') {
        this.at += 1;
        return undefined;
      }
      if (next === '"' || next === "'") parts.push({ kind: 'text', text: this.quoted() });
      else if (this.word('range')) {
        parts.push(this.range());
        return undefined;
      } else if (this.word('end')) {
        this.blanks();
        if (this.ranges === 0) throw this.fault('not in range, nothing to end');
        this.expect('}', 'unclosed action');
        return 'end';
      } else parts.push({ kind: 'path', steps: this.path() });
    }
  }

  private range(): Part {
    this.blanks();
    const steps = this.path();
    this.blanks();
    this.expect('}', 'unclosed action');
    this.ranges += 1;
    const body = this.template();
    this.ranges -= 1;
    return { kind: 'range', steps, body };
  }

  private path(): readonly Step[] {
    const steps: Step[] = [];
    for (;;) {
      const next = this.source[this.at];
      if (next === '$') steps.push({ kind: 'root' });
      if (next === '$' || next === '@') this.at += 1;
      else if (next === '[') steps.push(this.bracket());
      else if (next === '.') this.dotted(steps);
      else if (next !== undefined && steps.length === 0 && this.isName(next)) {
        steps.push({ kind: 'field', name: this.name() });
      } else return this.checked(steps, next);
    }
  }

  /** A character that begins nothing: kubectl names it. */
  private checked(steps: readonly Step[], next: string | undefined): readonly Step[] {
    const isEnd = next === undefined || /[\s})=!<>,]/.test(next);
    if (!isEnd) throw this.fault(`unrecognized character in action: U+${codeOf(next)} '${next}'`);
    return steps;
  }

  private dotted(steps: Step[]): void {
    this.at += 1;
    if (this.source[this.at] === '.') {
      this.at += 1;
      steps.push({ kind: 'recursive' });
    }
    const next = this.source[this.at];
    if (next === '*') {
      this.at += 1;
      steps.push({ kind: 'wildcard' });
    } else if (next !== undefined && this.isName(next)) {
      steps.push({ kind: 'field', name: this.name() });
    }
  }

  private isName(character: string): boolean {
    return !/[\s{}[\]().,=!<>@$'"*?]/.test(character);
  }

  /** A backslash takes the character after it into the name: `app\.kubernetes\.io/name`. */
  private name(): string {
    let name = '';
    for (;;) {
      const next = this.source[this.at];
      if (next === '\\') {
        name += this.source[this.at + 1] ?? '';
        this.at += 2;
      } else if (next !== undefined && this.isName(next)) {
        name += next;
        this.at += 1;
      } else return name;
    }
  }

  private bracket(): Step {
    this.at += 1;
    if (this.source.startsWith('?(', this.at)) return this.filter();
    const end = this.closing();
    const inside = this.source.slice(this.at, end).trim();
    this.at = end + 1;
    const items = splitOutsideQuotes(inside).map((item) => this.item(item.trim()));
    const [only, second] = items;
    return only !== undefined && second === undefined ? only : { kind: 'union', of: items };
  }

  private item(text: string): Step {
    if (text === '*') return { kind: 'wildcard' };
    const quoted = /^(['"])(.*)\1$/s.exec(text);
    if (quoted !== null) return { kind: 'field', name: quoted[2]?.replace(/\\(.)/gs, '$1') ?? '' };
    if (/^-?\d+$/.test(text)) return { kind: 'index', index: Number(text) };
    const slice = /^(-?\d+)?:(-?\d+)?(?::(-?\d+)?)?$/.exec(text);
    if (slice === null) throw this.fault(`invalid array index ${text}`);
    const [, from, to, by] = slice;
    if (by !== undefined && Number(by) <= 0) throw this.fault('step must be > 0');
    return {
      kind: 'slice',
      ...(from === undefined ? {} : { from: Number(from) }),
      ...(to === undefined ? {} : { to: Number(to) }),
      by: Number(by ?? 1),
    };
  }

  /** Where the bracket that is open closes. */
  private closing(): number {
    let quote: string | undefined;
    for (let i = this.at; i < this.source.length; i += 1) {
      const character = this.source[i];
      if (quote !== undefined) {
        if (character === '\\') i += 1;
        else if (character === quote) quote = undefined;
      } else if (character === '"' || character === "'") quote = character;
      else if (character === ']') return i;
    }
    throw this.fault('unterminated array');
  }

  private filter(): Step {
    this.at += 2;
    this.blanks();
    const left = this.operand();
    this.blanks();
    const operator = /^(==|!=|<=|>=|<|>)/.exec(this.source.slice(this.at, this.at + 2))?.[0];
    let test: Test | undefined;
    if (operator !== undefined) {
      this.at += operator.length;
      this.blanks();
      test = { operator, right: this.operand() };
      this.blanks();
    }
    this.expect(')', 'unterminated filter');
    this.expect(']', 'unclosed array expect ]');
    return { kind: 'filter', left, ...(test === undefined ? {} : { test }) };
  }

  private operand(): Operand {
    const next = this.source[this.at];
    if (next === '"' || next === "'") return { literal: this.quoted() };
    const literal = /^(-?\d+(\.\d+)?|true|false)(?=[\s)=!<>])/.exec(
      this.source.slice(this.at),
    )?.[1];
    if (literal === undefined) return { steps: this.path() };
    this.at += literal.length;
    return { literal: /^[tf]/.test(literal) ? literal === 'true' : Number(literal) };
  }

  private quoted(): string {
    const quote = this.source[this.at];
    this.at += 1;
    let text = '';
    for (;;) {
      const next = this.source[this.at];
      if (next === undefined) throw this.fault('unterminated quoted string');
      this.at += 1;
      if (next === quote) return text;
      if (next === '\\') {
        const escaped = this.source[this.at] ?? '';
        text += ESCAPES[escaped] ?? escaped;
        this.at += 1;
      } else text += next;
    }
  }

  private word(word: string): boolean {
    const isHere = new RegExp(`^${word}(?=[\\s}.$@[])`).test(this.source.slice(this.at));
    if (isHere) this.at += word.length;
    return isHere;
  }

  private blanks(): void {
    while (/\s/.test(this.source[this.at] ?? '')) this.at += 1;
  }

  private expect(character: string, complaint: string): void {
    if (this.source[this.at] !== character) throw this.fault(complaint);
    this.at += 1;
  }

  private fault(why: string): JsonPathError {
    return new JsonPathError(`error parsing jsonpath ${this.source}, ${why}`);
  }
}

const codeOf = (character: string): string =>
  (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');

const splitOutsideQuotes = (text: string): readonly string[] =>
  text.match(/(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^,])+/gs) ?? [''];

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };

// ---- Finding

const renderParts = (parts: readonly Part[], current: unknown, root: unknown): string =>
  parts
    .map((part) => {
      switch (part.kind) {
        case 'text':
          return part.text;
        case 'path':
          return walk(part.steps, [current], root).map(valueText).join(' ');
        case 'range':
          return walk(part.steps, [current], root)
            .map((each) => renderParts(part.body, each, root))
            .join('');
      }
    })
    .join('');

const walk = (
  steps: readonly Step[],
  from: readonly unknown[],
  root: unknown,
): readonly unknown[] => {
  let values = from;
  for (const step of steps) {
    const found: unknown[] = [];
    for (const value of values)
      for (const each of take(step, value, root)) {
        if (found.length >= VALUES_MAX) throw new JsonPathError('too many values');
        found.push(each);
      }
    values = found;
  }
  return values;
};

const take = (step: Step, value: unknown, root: unknown): readonly unknown[] => {
  switch (step.kind) {
    case 'root':
      return [root];
    case 'field':
      return isJsonObject(value) && Object.hasOwn(value, step.name) ? [value[step.name]] : [];
    case 'wildcard':
      return childrenOf(value);
    case 'recursive':
      return withDescendants(value);
    case 'index':
      return Array.isArray(value) ? [elementAt(value, step.index)] : [];
    case 'slice':
      return Array.isArray(value) ? sliceOf(value, step) : [];
    case 'union':
      return step.of.flatMap((each) => take(each, value, root));
    case 'filter':
      return (Array.isArray(value) ? value : []).filter((each) => passes(step, each, root));
  }
};

const elementAt = (list: readonly unknown[], index: number): unknown => {
  const at = index < 0 ? list.length + index : index;
  if (at >= 0 && at < list.length) return list[at];
  throw new JsonPathError(`array index out of bounds: index ${index}, length ${list.length}`);
};

const sliceOf = (
  list: readonly unknown[],
  { from = 0, to = list.length, by }: Step & { readonly kind: 'slice' },
): readonly unknown[] => list.slice(from, to).filter((_each, i) => i % by === 0);

const withDescendants = (value: unknown): readonly unknown[] => [
  value,
  ...childrenOf(value).flatMap(withDescendants),
];

const childrenOf = (value: unknown): readonly unknown[] => {
  if (Array.isArray(value)) return value as readonly unknown[];
  return isJsonObject(value) ? Object.values(value) : [];
};

const passes = (
  { left, test }: Step & { readonly kind: 'filter' },
  value: unknown,
  root: unknown,
): boolean => {
  const found = operandOf(left, value, root);
  if (test === undefined) return found.length > 0;
  const [a, anotherLeft] = found;
  const [b, anotherRight] = operandOf(test.right, value, root);
  if (anotherLeft !== undefined || anotherRight !== undefined) {
    throw new JsonPathError('can only compare one element at a time');
  }
  if (a === undefined || b === undefined) return false;
  const order = orderOf(a, b);
  switch (test.operator) {
    case '==':
      return order === 0;
    case '!=':
      return order !== 0;
    case '<':
      return order < 0;
    case '>':
      return order > 0;
    case '<=':
      return order <= 0;
    default:
      return order >= 0;
  }
};

const operandOf = (operand: Operand, value: unknown, root: unknown): readonly unknown[] =>
  'literal' in operand ? [operand.literal] : walk(operand.steps, [value], root);

const orderOf = (a: unknown, b: unknown): number => {
  const isNumeric = typeof a === 'number' && typeof b === 'number';
  const [x, y] = isNumeric ? [a, b] : [valueText(a), valueText(b)];
  return x < y ? -1 : x > y ? 1 : 0;
};

/** What is found on the way may be more than the document holds: `....a`. */
const VALUES_MAX = 50_000;
