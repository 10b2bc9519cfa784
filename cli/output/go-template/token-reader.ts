import { tokensOf, type Token, type TokenKind } from './lexer';
import { TemplateError } from './template-error';
import { quoted } from './values';

/** The name of the whole, by which errors call it: kubectl's choice. */
export const TOP = 'output';

/** The tokens of a template, one after the other; some are put back and read again. */
export abstract class TokenReader {
  /** Where the action that is read began, for complaints about a later line; 0 outside of one. */
  protected actionLine = 0;
  private readonly tokens: Iterator<Token, void>;
  /** Those put back, the next one last. */
  private readonly ahead: Token[] = [];
  private line = 1;

  constructor(protected readonly source: string) {
    this.tokens = tokensOf(source);
  }

  protected next(): Token {
    const known = this.ahead.pop();
    if (known !== undefined) return known;
    const { value } = this.tokens.next();
    if (value === undefined)
      return { kind: 'end', text: '', at: this.source.length, line: this.line };
    this.line = value.line;
    return value;
  }

  protected back(token: Token): void {
    this.ahead.push(token);
  }

  protected peek(): Token {
    const token = this.next();
    this.back(token);
    return token;
  }

  protected nextNonSpace(): Token {
    for (;;) {
      const token = this.next();
      if (token.kind !== 'space') return token;
    }
  }

  protected peekNonSpace(): Token {
    const token = this.nextNonSpace();
    this.back(token);
    return token;
  }

  protected expect(kind: TokenKind, context: string): Token {
    const token = this.nextNonSpace();
    return token.kind === kind ? token : this.unexpected(token, context);
  }

  protected unexpected(token: Token, context: string): never {
    if (token.kind !== 'error') return this.fail(`unexpected ${tokenText(token)} in ${context}`);
    const isElsewhere = this.actionLine !== 0 && this.actionLine !== token.line;
    const started = `${token.text.endsWith(' action') ? '' : ' in action'} started at ${TOP}:`;
    return this.fail(token.text + (isElsewhere ? started + String(this.actionLine) : ''));
  }

  protected fail(message: string): never {
    throw new TemplateError(`template: ${TOP}:${this.line}: ${message}`);
  }
}

const tokenText = ({ kind, text }: Token): string => {
  if (kind === 'end') return 'EOF';
  if (kind === 'keyword' || kind === 'dot' || kind === 'nil') return `<${text}>`;
  return text.length > 10 ? `${quoted(text.slice(0, 10))}...` : quoted(text);
};
