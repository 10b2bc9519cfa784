import type { Token, TokenKind } from './lexer';
import { numberOf, unquote } from './literals';
import { TokenReader, TOP } from './token-reader';
import { operandText } from './tree';
import { quoted } from './values';
import type { Action, Body, Command, Operand, Pipeline, Tree } from './tree';

/**
 * Reads a template of Go's language. Source: Go's text/template/parse/parse.go.
 * @throws TemplateError in Go's words
 */
export const parseTemplate = (source: string, functions: ReadonlySet<string>): Tree =>
  new Parser(source, functions).tree();

/** What ends a list of actions. */
interface Ending {
  readonly kind: 'end' | 'else';
}

/** Reads by descent; `MAX_DEPTH` bounds it. */
class Parser extends TokenReader {
  private readonly templates = new Map<string, Body>();
  private variables: string[] = ['$'];
  private rangeDepth = 0;
  private depth = 0;

  constructor(
    source: string,
    private readonly functions: ReadonlySet<string>,
  ) {
    super(source);
  }

  tree(): Tree {
    const body: Action[] = [];
    for (;;) {
      const token = this.next();
      if (token.kind === 'end') break;
      if (token.kind === 'open' && this.peekNonSpace().text === 'define') {
        this.nextNonSpace();
        this.definition();
        continue;
      }
      this.back(token);
      const found = this.textOrAction();
      if ('ending' in found) this.fail(`unexpected {{${found.ending.kind}}}`);
      body.push(found.action);
    }
    this.add(TOP, body);
    return { source: this.source, templates: this.templates };
  }

  private definition(): void {
    const context = 'define clause';
    const name = this.nameOf(this.nextNonSpace(), context);
    this.expect('close', context);
    this.block(name, context);
  }

  /** A template of its own, with its own variables. */
  private block(name: string, context: string): void {
    const { variables, rangeDepth } = this;
    this.variables = ['$'];
    this.rangeDepth = 0;
    const { body, ending } = this.list();
    if (ending.kind !== 'end') this.fail(`unexpected {{else}} in ${context}`);
    this.add(name, body);
    this.variables = variables;
    this.rangeDepth = rangeDepth;
  }

  private add(name: string, body: Body): void {
    const known = this.templates.get(name);
    if (known === undefined || isEmpty(known)) this.templates.set(name, body);
    else if (!isEmpty(body)) this.fail(`template: multiple definition of template ${quoted(name)}`);
  }

  private list(): { readonly body: Body; readonly ending: Ending } {
    const body: Action[] = [];
    while (this.peekNonSpace().kind !== 'end') {
      const found = this.textOrAction();
      if ('ending' in found) return { body, ending: found.ending };
      body.push(found.action);
    }
    return this.fail('unexpected EOF');
  }

  private textOrAction(): { readonly action: Action } | { readonly ending: Ending } {
    const token = this.nextNonSpace();
    if (token.kind === 'text') return { action: { kind: 'text', at: token.at, text: token.text } };
    if (token.kind !== 'open') return this.unexpected(token, 'input');
    this.actionLine = token.line;
    try {
      return this.action();
    } finally {
      this.actionLine = 0;
    }
  }

  private action(): { readonly action: Action } | { readonly ending: Ending } {
    const token = this.nextNonSpace();
    if (token.kind === 'keyword') {
      switch (token.text) {
        case 'end':
          this.expect('close', 'end');
          return { ending: { kind: 'end' } };
        case 'else':
          return { ending: this.elseEnding() };
        case 'if':
        case 'with':
        case 'range':
          return { action: this.control(token.text, token.at) };
        case 'block':
          return { action: this.blockAction() };
        case 'template':
          return { action: this.templateAction() };
        case 'break':
        case 'continue':
          return { action: this.leaving(token.text, token.at) };
      }
    }
    this.back(token);
    const { at } = this.peekNonSpace();
    return { action: { kind: 'print', at, pipeline: this.pipeline('command', 'close') } };
  }

  /** `else if` and `else with` leave their keyword for whom they continue. */
  private elseEnding(): Ending {
    const next = this.peekNonSpace();
    if (next.kind !== 'keyword' || (next.text !== 'if' && next.text !== 'with'))
      this.expect('close', 'else');
    return { kind: 'else' };
  }

  private control(kind: 'if' | 'with' | 'range', at: number): Action {
    if (++this.depth > MAX_DEPTH) this.fail('the template is nested too deeply');
    const mark = this.variables.length;
    const pipeline = this.pipeline(kind, 'close');
    if (kind === 'range') this.rangeDepth++;
    const { body, ending } = this.list();
    if (kind === 'range') this.rangeDepth--;
    const otherwise = ending.kind === 'end' ? undefined : this.otherwise(kind);
    this.variables.length = mark;
    this.depth--;
    return { kind, at, pipeline, body, ...(otherwise === undefined ? {} : { otherwise }) };
  }

  private otherwise(kind: 'if' | 'with' | 'range'): Body {
    const next = this.peekNonSpace();
    if (kind !== 'range' && next.kind === 'keyword' && next.text === kind) {
      this.nextNonSpace();
      return [this.control(kind, next.at)];
    }
    const { body, ending } = this.list();
    if (ending.kind !== 'end') this.fail('expected end; found {{else}}');
    return body;
  }

  private blockAction(): Action {
    const context = 'block clause';
    const token = this.nextNonSpace();
    const name = this.nameOf(token, context);
    const pipeline = this.pipeline(context, 'close');
    this.block(name, context);
    return { kind: 'template', at: token.at, name, pipeline };
  }

  private templateAction(): Action {
    const context = 'template clause';
    const token = this.nextNonSpace();
    const name = this.nameOf(token, context);
    const next = this.nextNonSpace();
    if (next.kind === 'close') return { kind: 'template', at: token.at, name };
    this.back(next);
    return { kind: 'template', at: token.at, name, pipeline: this.pipeline(context, 'close') };
  }

  private leaving(kind: 'break' | 'continue', at: number): Action {
    const next = this.nextNonSpace();
    if (next.kind !== 'close') this.unexpected(next, `{{${kind}}}`);
    if (this.rangeDepth === 0) this.fail(`{{${kind}}} outside {{range}}`);
    return { kind, at };
  }

  private nameOf(token: Token, context: string): string {
    if (token.kind !== 'string' && token.kind !== 'rawString')
      return this.unexpected(token, context);
    return unquote(token.text) ?? this.fail('invalid syntax');
  }

  private pipeline(context: string, end: 'close' | 'closeParen'): Pipeline {
    if (++this.depth > MAX_DEPTH) this.fail('the template is nested too deeply');
    const { at } = this.peekNonSpace();
    const { variables, isAssignment } = this.declarations(context);
    const commands: Command[] = [];
    for (;;) {
      const token = this.nextNonSpace();
      if (token.kind === end) break;
      if (!OPERANDS.has(token.kind)) this.unexpected(token, context);
      this.back(token);
      commands.push(this.command());
    }
    this.check(commands, context);
    this.depth--;
    return { at, variables, isAssignment, commands };
  }

  /** `$x :=`, `$x =`, and `$i, $x :=` of a range. */
  private declarations(context: string): Pick<Pipeline, 'variables' | 'isAssignment'> {
    const variables: string[] = [];
    for (;;) {
      const variable = this.peekNonSpace();
      if (variable.kind !== 'variable') return { variables, isAssignment: false };
      this.nextNonSpace();
      const after = this.next();
      const next = after.kind === 'space' ? this.peekNonSpace() : after;
      const declare = () => {
        if (after.kind === 'space') this.nextNonSpace();
        variables.push(variable.text);
        this.variables.push(variable.text);
      };
      if (next.kind === 'declare' || next.kind === 'assign') {
        declare();
        return { variables, isAssignment: next.kind === 'assign' };
      }
      if (next.kind !== 'char' || next.text !== ',') {
        this.back(after);
        this.back(variable);
        return { variables, isAssignment: false };
      }
      declare();
      if (context !== 'range' || variables.length > 1)
        this.fail(`too many declarations in ${context}`);
      if (!['variable', 'close', 'closeParen'].includes(this.peekNonSpace().kind))
        this.fail('range can only initialize variables');
    }
  }

  private check(commands: readonly Command[], context: string): void {
    if (commands.length === 0) this.fail(`missing value for ${context}`);
    commands.slice(1).forEach(({ operands: [first] }, index) => {
      if (['bool', 'dot', 'nil', 'number', 'float', 'string'].includes(first.kind))
        this.fail(`non executable command in pipeline stage ${index + 2}`);
    });
  }

  private command(): Command {
    const { at } = this.peekNonSpace();
    const operands: Operand[] = [];
    for (;;) {
      this.peekNonSpace();
      const operand = this.operand();
      if (operand !== undefined) operands.push(operand);
      const token = this.next();
      if (token.kind === 'space') continue;
      if (token.kind === 'close' || token.kind === 'closeParen') this.back(token);
      else if (token.kind !== 'pipe') this.unexpected(token, 'operand');
      break;
    }
    const [first, ...others] = operands;
    if (first === undefined) return this.fail('empty command');
    return { at, operands: [first, ...others] };
  }

  /** A term, and fields of it. */
  private operand(): Operand | undefined {
    const term = this.term();
    if (term === undefined || this.peek().kind !== 'field') return term;
    const { at } = this.peek();
    const names: string[] = [];
    while (this.peek().kind === 'field') names.push(this.next().text.slice(1));
    switch (term.kind) {
      case 'field':
      case 'variable':
        return { ...term, at, names: [...term.names, ...names] };
      case 'pipeline':
      case 'function':
        return { kind: 'chain', at, of: term, names };
      default:
        return this.fail(`unexpected . after term ${quoted(operandText(term))}`);
    }
  }

  private term(): Operand | undefined {
    const token = this.nextNonSpace();
    const { at, text } = token;
    switch (token.kind) {
      case 'identifier':
        if (!this.functions.has(text)) this.fail(`function ${quoted(text)} not defined`);
        return { kind: 'function', at, name: text };
      case 'dot':
      case 'nil':
        return { kind: token.kind, at };
      case 'variable':
        if (!this.variables.includes(text)) this.fail(`undefined variable ${quoted(text)}`);
        return { kind: 'variable', at, name: text, names: [] };
      case 'field':
        return { kind: 'field', at, names: [text.slice(1)] };
      case 'bool':
        return { kind: 'bool', at, value: text === 'true' };
      case 'number':
      case 'character': {
        const number = numberOf(text);
        if (number === undefined)
          return this.fail(
            token.kind === 'character'
              ? `malformed character constant: ${text}`
              : `bad number syntax: ${quoted(text)}`,
          );
        return { ...number, at, text };
      }
      case 'string':
      case 'rawString': {
        const value = unquote(text);
        if (value === undefined) return this.fail('invalid syntax');
        return { kind: 'string', at, text, value };
      }
      case 'openParen':
        return {
          ...{ kind: 'pipeline', at },
          pipeline: this.pipeline('parenthesized pipeline', 'closeParen'),
        };
      default:
        this.back(token);
        return undefined;
    }
  }
}

const isEmpty = (body: Body): boolean =>
  body.every((action) => action.kind === 'text' && action.text.trim() === '');

const OPERANDS: ReadonlySet<TokenKind> = new Set([
  ...(['bool', 'character', 'dot', 'field', 'identifier', 'number', 'nil'] as const),
  ...(['rawString', 'string', 'variable', 'openParen'] as const),
]);
const MAX_DEPTH = 200;
