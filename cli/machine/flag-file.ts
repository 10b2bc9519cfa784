import { stringifyJson } from '../../lib/json';
import { flagDocumentOf } from '../config-file';
import { UsageError } from '../usage-error';

/** What a file of flags says, by the names of flags. */
export type FlagsOfFile = ReadonlyMap<string, { readonly value: unknown; readonly line: number }>;

/** A flag whose value in the file became another. */
export interface FlagChange {
  readonly name: string;
  /** Undefined where the file did not say. */
  readonly before: string | undefined;
  readonly after: string;
}

/** @throws UsageError naming file and line */
export const flagsIn = (file: string, text: string): FlagsOfFile => {
  const document = flagDocumentOf(file, text);
  if (document === undefined) return new Map();
  return new Map(
    Object.entries(document.value as object).map(([name, value]: [string, unknown]) => [
      name,
      { value, line: document.positionOf(name).line },
    ]),
  );
};

/** The value of a flag that takes one text; undefined where the file does not say. @throws UsageError */
export const textFlag = (file: string, flags: FlagsOfFile, name: string): string | undefined => {
  const found = flags.get(name);
  if (found === undefined) return undefined;
  const { value, line } = found;
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value);
  throw new UsageError(`${file}:${line}: ${name}: expected a text`);
};

/**
 * Pure: the file with these flags set. All else in it stays as somebody wrote it; a flag that stands there as a
 * remark is set in its place. @throws UsageError where a value is not on one line
 */
export const withFlags = (
  file: string,
  text: string,
  wanted: Readonly<Record<string, string>>,
): { readonly text: string; readonly changes: readonly FlagChange[] } => {
  const flags = flagsIn(file, text);
  const lines = text === '' ? [] : text.replace(/\n$/, '').split('\n');
  const changes = Object.entries(wanted).flatMap(([name, after]): FlagChange[] => {
    const before = textFlag(file, flags, name);
    if (before === after) return [];
    setLine(file, lines, { name, after, line: flags.get(name)?.line });
    return [{ name, before, after }];
  });
  return { text: lines.length === 0 ? '' : `${lines.join('\n')}\n`, changes };
};

const setLine = (
  file: string,
  lines: string[],
  { name, after, line }: { name: string; after: string; line: number | undefined },
): void => {
  const written = `${name}: ${scalarOf(after)}`;
  if (line === undefined) {
    const remark = lines.findIndex((each) => each.startsWith(`#${name}:`));
    if (remark < 0) lines.push(written);
    else lines[remark] = written;
    return;
  }
  const match = ONE_LINE.exec(lines[line - 1] ?? '');
  if (match === null) throw new UsageError(`${file}:${line}: ${name}: write it as "${written}"`);
  lines[line - 1] = written + (match[2] ?? '');
};

/** `name: value`, and what is remarked behind it. */
const ONE_LINE = /^([\w-]+):\s+(?:"[^"]*"|'[^']*'|[^\s#"'[{|>&*][^#]*?)(\s+#.*)?\s*$/;

/** As YAML reads it back, quoted where it might read something else. */
const scalarOf = (value: string): string =>
  /^(\/[\w./-]+|\d+\.\d+\.\d+\.\d+(:\d+)?)$/.test(value) ? value : stringifyJson(value);
