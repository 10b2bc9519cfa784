import type { Issue } from './source';

/** What is wrong with a text, thrown within the parser only. */
export class SyntaxFault extends Error {
  constructor(readonly issue: Issue) {
    super(issue.message);
  }
}

export const syntaxFault = (at: number, message: string): SyntaxFault =>
  new SyntaxFault({ at, message: `Syntax error: ${message}` });
