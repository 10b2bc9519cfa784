import { Composer, Parser, type Document, type LineCounter } from 'yaml';

export type ParserLimit = 'depth' | 'tokens';

/** The text is nested more deeply, or has more parts, than the reader takes. */
export class ParserLimitError extends Error {
  override readonly name = 'ParserLimitError';

  constructor(
    readonly limit: ParserLimit,
    readonly offset: number,
  ) {
    super(`beyond the limit of ${limit}`);
  }
}

export interface ParserLimits {
  readonly depthMax: number;
  readonly tokensMax: number;
}

/**
 * The library's parser keeps its place on a stack of its own; all that comes behind it recurses.
 * Nesting without end must stop here: a regular expression that V8 compiles on the last bytes of the
 * thread's stack does not throw, it ends the process.
 */
class BoundedParser extends Parser {
  private tokenCount = 0;

  constructor(
    lines: LineCounter,
    private readonly limits: ParserLimits,
  ) {
    super(lines.addNewLine);
  }

  override *next(source: string): ReturnType<Parser['next']> {
    if (this.stack.length > this.limits.depthMax) throw new ParserLimitError('depth', this.offset);
    if (++this.tokenCount > this.limits.tokensMax)
      throw new ParserLimitError('tokens', this.offset);
    yield* super.next(source);
  }
}

type ComposerOptions = NonNullable<ConstructorParameters<typeof Composer>[0]>;

/** The documents of a stream, as `parseAllDocuments` has them. @throws ParserLimitError */
export const parseDocuments = (
  text: string,
  lines: LineCounter,
  limits: ParserLimits,
  options: ComposerOptions,
): readonly Document.Parsed[] => {
  const parser = new BoundedParser(lines, limits);
  return [...new Composer(options).compose(parser.parse(text))];
};
