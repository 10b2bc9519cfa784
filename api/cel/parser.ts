import { tokensOf, type Token } from './lexer';
import { expandMacro } from './macros';
import { compileError, type Issue } from './source';
import { DEPTH_MAX, type Expr, type ListItem, type MapEntry, type MessageField } from './syntax';
import { syntaxFault, SyntaxFault } from './syntax-fault';
import { BOOL, BYTES, DOUBLE, INT, NULL, STRING, UINT, type CelType } from './types';
import { CelUint, type CelValue } from './values';

/** As upstream. */
export const SOURCE_MAX = 100_000;

/**
 * Reads the text of an expression, and puts macros in the place of the calls that are none.
 * @throws CelCompileError
 */
export const parseCel = (source: string): Expr => {
  if (source.length > SOURCE_MAX)
    throw compileError(source.slice(0, 80), [
      {
        at: 0,
        message: `expression code point size exceeds limit: size: ${source.length}, limit ${SOURCE_MAX}`,
      },
    ]);
  try {
    return new Parser(tokensOf(source)).parse();
  } catch (error) {
    if (error instanceof SyntaxFault) throw compileError(source, [error.issue]);
    throw error;
  }
};

class Parser {
  private next = 0;
  private depth = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  parse(): Expr {
    const expr = this.expression();
    const { kind, text, at } = this.peek();
    if (kind === 'end') return expr;
    const isLast = this.tokens[this.next + 1]?.kind === 'end';
    throw syntaxFault(
      at,
      `${isLast ? 'extraneous' : 'mismatched'} input '${text}' expecting <EOF>`,
    );
  }

  private expression(): Expr {
    if (++this.depth > DEPTH_MAX) throw new SyntaxFault({ at: this.peek().at, message: TOO_DEEP });
    const condition = this.logical('||', '_||_', () =>
      this.logical('&&', '_&&_', () => this.relation()),
    );
    const expr = this.conditional(condition);
    this.depth--;
    return expr;
  }

  private conditional(condition: Expr): Expr {
    if (!this.is('?')) return condition;
    const { at } = this.take();
    const then = this.logical('||', '_||_', () =>
      this.logical('&&', '_&&_', () => this.relation()),
    );
    this.expect(':');
    return { kind: 'call', name: '_?_:_', args: [condition, then, this.expression()], at };
  }

  /** A long chain becomes a balanced tree, as upstream's. */
  private logical(symbol: string, name: string, operand: () => Expr): Expr {
    const terms = [operand()];
    const places: number[] = [];
    while (this.is(symbol)) {
      places.push(this.take().at);
      terms.push(operand());
    }
    return balanced(name, terms, places);
  }

  private relation(): Expr {
    return this.leftToRight(RELATIONS, () =>
      this.leftToRight(SUMS, () => this.leftToRight(PRODUCTS, () => this.unary())),
    );
  }

  private leftToRight(operators: Readonly<Record<string, string>>, operand: () => Expr): Expr {
    let left = operand();
    for (let length = 0; ; length++) {
      const { kind, text } = this.peek();
      const name = kind === 'symbol' || text === 'in' ? operators[text] : undefined;
      if (name === undefined) return left;
      const { at } = this.take();
      if (length >= DEPTH_MAX) throw new SyntaxFault({ at, message: TOO_DEEP });
      left = { kind: 'call', name, args: [left, operand()], at };
    }
  }

  /** Of a run of `!` or `-`, two take each other away. */
  private unary(): Expr {
    const { text, at, kind } = this.peek();
    if (kind !== 'symbol' || (text !== '!' && text !== '-')) return this.member();
    let count = 0;
    while (this.is(text)) {
      const following = this.tokens[this.next + 1]?.kind;
      if (text === '-' && (following === 'int' || following === 'double')) break;
      this.take();
      count++;
    }
    const operand = this.member();
    return count % 2 === 0 ? operand : { kind: 'call', name: `${text}_`, args: [operand], at };
  }

  private member(): Expr {
    let expr = this.primary();
    for (let length = 0; ; length++) {
      const at = this.peek().at;
      if (length > DEPTH_MAX) throw new SyntaxFault({ at, message: TOO_DEEP });
      if (this.is('.')) expr = this.afterDot(expr);
      else if (this.is('[')) expr = this.index(expr);
      else if (this.is('{') && isTypeName(expr)) expr = this.message(qualifiedName(expr), at);
      else return expr;
    }
  }

  private afterDot(operand: Expr): Expr {
    const dot = this.take();
    const isOptional = this.is('?');
    if (isOptional) this.take();
    const name = this.take();
    if (name.kind !== 'ident' || name.text === 'in' || isLiteralName(name.text))
      throw syntaxFault(name.at, `mismatched input '${name.text}' expecting IDENTIFIER`);
    if (!isOptional && this.is('(')) {
      const { at } = this.peek();
      return this.checked({ target: operand, name: name.text, args: this.args(), at });
    }
    const mode = isOptional ? 'optional' : 'get';
    return { kind: 'select', operand, field: name.text, mode, at: dot.at };
  }

  private index(operand: Expr): Expr {
    const { at } = this.take();
    const isOptional = this.is('?');
    if (isOptional) this.take();
    const index = this.expression();
    this.expect(']');
    return { kind: 'call', name: isOptional ? '_[?_]' : '_[_]', args: [operand, index], at };
  }

  private primary(): Expr {
    const token = this.take();
    const { kind, text, at } = token;
    switch (kind) {
      case 'ident':
        return this.named(token);
      case 'symbol':
        return this.compound(token);
      case 'end':
        throw unexpected(token);
      default:
        return numberOrText(text, kind, at, token.bytes);
    }
  }

  private compound(token: Token): Expr {
    const { text, at } = token;
    switch (text) {
      case '(': {
        const inner = this.expression();
        this.expect(')');
        return inner;
      }
      case '[':
        return { kind: 'list', items: this.listItems(), at };
      case '{':
        return { kind: 'map', entries: this.mapEntries(), at };
      case '-': {
        const number = this.take();
        const { kind, text: digits } = number;
        if (kind !== 'int' && kind !== 'double') throw unexpected(token);
        return numberOrText(`-${digits}`, kind, at);
      }
      case '.': {
        const name = this.take();
        if (name.kind !== 'ident') throw unexpected(name);
        return this.named(name);
      }
      default:
        throw unexpected(token);
    }
  }

  private named(token: Token): Expr {
    const { text, at } = token;
    const constant = CONSTANTS[text];
    if (constant !== undefined) return { kind: 'literal', ...constant, at };
    if (text === 'in') throw unexpected(token);
    if (RESERVED.has(text)) throw new SyntaxFault({ at, message: `reserved identifier: ${text}` });
    if (!this.is('(')) return { kind: 'ident', name: text, at };
    const open = this.peek();
    return this.checked({ name: text, args: this.args(), at: open.at });
  }

  private checked(call: { target?: Expr; name: string; args: readonly Expr[]; at: number }): Expr {
    return expandMacro({ kind: 'call', ...call }, (issue: Issue) => new SyntaxFault(issue));
  }

  private args(): readonly Expr[] {
    this.expect('(');
    const args: Expr[] = [];
    while (!this.is(')')) {
      args.push(this.expression());
      if (!this.separated(')')) break;
    }
    this.expect(')');
    return args;
  }

  private listItems(): readonly ListItem[] {
    const items: ListItem[] = [];
    while (!this.is(']')) {
      const isOptional = this.skip('?');
      items.push({ value: this.expression(), isOptional });
      if (!this.separated(']', true)) break;
    }
    this.expect(']');
    return items;
  }

  private message(typeName: string, at: number): Expr {
    this.expect('{');
    const fields: MessageField[] = [];
    while (!this.is('}')) {
      const isOptional = this.skip('?');
      const { kind, text, at: fieldAt } = this.take();
      if (kind !== 'ident') throw syntaxFault(fieldAt, `mismatched input '${text}' expecting '}'`);
      this.expect(':');
      fields.push({ at: fieldAt, name: text, value: this.expression(), isOptional });
      if (!this.separated('}', true)) break;
    }
    this.expect('}');
    return { kind: 'message', typeName, fields, at };
  }

  private mapEntries(): readonly MapEntry[] {
    const entries: MapEntry[] = [];
    while (!this.is('}')) {
      const isOptional = this.skip('?');
      const key = this.expression();
      this.expect(':');
      entries.push({ key, value: this.expression(), isOptional });
      if (!this.separated('}', true)) break;
    }
    this.expect('}');
    return entries;
  }

  /** Is there a comma, and so another? After the last of a list or a map one may stand. */
  private separated(close: string, mayTrail = false): boolean {
    if (!this.skip(',')) return false;
    if (!mayTrail && this.is(close)) throw unexpected(this.peek());
    return true;
  }

  private skip(symbol: string): boolean {
    if (!this.is(symbol)) return false;
    this.take();
    return true;
  }

  private is(symbol: string): boolean {
    const { kind, text } = this.peek();
    return kind === 'symbol' && text === symbol;
  }

  private expect(symbol: string): void {
    if (!this.is(symbol)) {
      const { text, at } = this.peek();
      throw syntaxFault(at, `mismatched input '${text}' expecting '${symbol}'`);
    }
    this.take();
  }

  private peek(): Token {
    return this.tokens[this.next] as Token;
  }

  private take(): Token {
    const token = this.peek();
    if (token.kind !== 'end') this.next++;
    return token;
  }
}

const balanced = (name: string, terms: readonly Expr[], places: readonly number[]): Expr => {
  const [first] = terms;
  if (first !== undefined && terms.length === 1) return first;
  const middle = Math.floor(terms.length / 2);
  return {
    kind: 'call',
    name,
    args: [
      balanced(name, terms.slice(0, middle), places.slice(0, middle - 1)),
      balanced(name, terms.slice(middle), places.slice(middle)),
    ],
    at: places[middle - 1] ?? 0,
  };
};

const numberOrText = (text: string, kind: Token['kind'], at: number, bytes?: Uint8Array): Expr => {
  const literal = (value: CelValue, type: CelType): Expr => ({ kind: 'literal', value, type, at });
  switch (kind) {
    case 'int':
      return literal(integer(text, at, INT_MIN, INT_MAX, 'int'), INT);
    case 'uint':
      return literal(new CelUint(integer(text, at, 0n, UINT_MAX, 'uint')), UINT);
    case 'double':
      return literal(finite(text, at), DOUBLE);
    case 'bytes':
      return literal(bytes ?? new Uint8Array(), BYTES);
    default:
      return literal(text, STRING);
  }
};

const integer = (text: string, at: number, min: bigint, max: bigint, type: string): bigint => {
  const isNegative = text.startsWith('-');
  const digits = isNegative ? text.slice(1) : text;
  const value = digits.length > DIGITS_MAX ? undefined : BigInt(digits);
  const signed = value === undefined || !isNegative ? value : -value;
  if (signed === undefined || signed < min || signed > max)
    throw new SyntaxFault({ at, message: `invalid ${type} literal` });
  return signed;
};

const finite = (text: string, at: number): number => {
  const value = Number(text);
  if (!Number.isFinite(value)) throw new SyntaxFault({ at, message: 'invalid double literal' });
  return value;
};

const isTypeName = (expr: Expr): boolean =>
  expr.kind === 'ident' ||
  (expr.kind === 'select' && expr.mode === 'get' && isTypeName(expr.operand));

const qualifiedName = (expr: Expr): string =>
  expr.kind === 'ident'
    ? expr.name
    : expr.kind === 'select'
      ? `${qualifiedName(expr.operand)}.${expr.field}`
      : '';

const unexpected = ({ text, at }: Token): SyntaxFault =>
  syntaxFault(at, `mismatched input '${text}' expecting ${STARTS}`);

const isLiteralName = (name: string): boolean => CONSTANTS[name] !== undefined;

const CONSTANTS: Readonly<Record<string, { value: CelValue; type: CelType } | undefined>> =
  Object.assign(Object.create(null) as Record<string, { value: CelValue; type: CelType }>, {
    true: { value: true, type: BOOL },
    false: { value: false, type: BOOL },
    null: { value: null, type: NULL },
  });

const RESERVED: ReadonlySet<string> = new Set(
  (
    'as break const continue else for function if import let loop package namespace return var ' +
    'void while'
  ).split(' '),
);

const RELATIONS = table({
  ...{ '==': '_==_', '!=': '_!=_', '<': '_<_', '<=': '_<=_', '>': '_>_', '>=': '_>=_' },
  in: '@in',
});
const SUMS = table({ '+': '_+_', '-': '_-_' });
const PRODUCTS = table({ '*': '_*_', '/': '_/_', '%': '_%_' });

function table(names: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.assign(Object.create(null) as Record<string, string>, names);
}

const STARTS =
  "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, " +
  'STRING, BYTES, IDENTIFIER}';
const TOO_DEEP = `expression recursion limit exceeded: ${DEPTH_MAX}`;
const INT_MAX = 2n ** 63n - 1n;
const INT_MIN = -(2n ** 63n);
const UINT_MAX = 2n ** 64n - 1n;
const DIGITS_MAX = 32;
