import { CelCompileError } from './errors';

export interface Issue {
  readonly at: number;
  readonly message: string;
}

/** What is wrong with a text, each with the line it is in and a mark below, as upstream prints it. */
export const compileError = (source: string, issues: readonly Issue[]): CelCompileError => {
  const lines = source.split('\n');
  const shown = [...issues]
    .sort((a, b) => a.at - b.at)
    .slice(0, ISSUES_MAX)
    .map((issue) => printIssue(source, lines, issue));
  return new CelCompileError(`compilation failed: ${shown.join('\n')}`);
};

const printIssue = (source: string, lines: readonly string[], { at, message }: Issue): string => {
  const before = source.slice(0, at);
  const line = before.split('\n').length;
  const inLine = Array.from(before.slice(before.lastIndexOf('\n') + 1));
  const text = (lines[line - 1] ?? '').replaceAll('\t', ' ').slice(0, LINE_MAX);
  const head = `ERROR: <input>:${line}:${inLine.length + 1}: ${message}`;
  if (inLine.length > LINE_MAX) return `${head}\n | ${text}`;
  const dots = inLine.map((char) => (isWide(char) ? '．' : '.')).join('');
  const marked = Array.from(text)[inLine.length];
  return `${head}\n | ${text}\n | ${dots}${marked !== undefined && isWide(marked) ? '＾' : '^'}`;
};

const isWide = (char: string): boolean => char.charCodeAt(0) > 127;

const ISSUES_MAX = 100;
const LINE_MAX = 2000;
