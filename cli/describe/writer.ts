import { LAST_APPLIED } from '../last-applied';
import { printable } from '../output/terminal';

/** Writes `Name:  value` lines at growing depth, values aligned within a block. */
export class DescribeWriter {
  private readonly blocks: { depth: number; rows: (readonly [string, string])[] }[] = [];

  /** One line; an empty value writes `<none>`. */
  field(depth: number, name: string, value: string | number | boolean | undefined): void {
    const text = value === undefined || value === '' ? '<none>' : oneLine(String(value));
    this.block(depth).rows.push([`${name}:`, text]);
  }

  /** As `field`; a value of several lines is written below its name. */
  text(depth: number, name: string, value: string): void {
    const lines = value.replace(/\n$/, '').split('\n');
    if (lines.length === 1) this.field(depth, name, lines[0]);
    else {
      this.heading(depth, name);
      for (const line of lines) this.raw(depth + 1, line);
    }
  }

  /** Without what `apply` keeps for itself: it repeats the object, a secret's content included. */
  annotations(annotations: Readonly<Record<string, string>> | undefined): void {
    const { [LAST_APPLIED]: _own, ...others } = annotations ?? {};
    this.pairs(0, 'Annotations', others);
  }

  /** A title whose lines follow at a greater depth. */
  heading(depth: number, name: string): void {
    this.block(depth).rows.push([`${name}:`, '']);
  }

  /** `key=value` lines after a name, one each. */
  pairs(depth: number, name: string, pairs: Readonly<Record<string, string>> | undefined): void {
    const entries = Object.entries(pairs ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
    if (entries.length === 0) this.field(depth, name, '<none>');
    entries.forEach(([key, value], i) => {
      const text = oneLine(`${key}=${value}`).slice(0, MAX_PAIR_LENGTH);
      this.block(depth).rows.push([i === 0 ? `${name}:` : '', text]);
    });
  }

  /** Text that is laid out already, indented to `depth`. */
  raw(depth: number, text: string): void {
    for (const line of printable(text.trimEnd()).split('\n')) {
      this.blocks.push({ depth, rows: [[line, '']] });
    }
  }

  toString(): string {
    return this.blocks.map(formatBlock).join('');
  }

  private block(depth: number): { rows: (readonly [string, string])[] } {
    const last = this.blocks.at(-1);
    if (last?.depth === depth) return last;
    const block = { depth, rows: [] as (readonly [string, string])[] };
    this.blocks.push(block);
    return block;
  }
}

const formatBlock = ({
  depth,
  rows,
}: {
  readonly depth: number;
  readonly rows: readonly (readonly [string, string])[];
}): string => {
  const width = Math.max(
    ...rows.filter(([, value]) => value !== '').map(([name]) => name.length),
    0,
  );
  const indent = '  '.repeat(depth);
  return rows
    .map(([name, value]) => `${indent}${value === '' ? name : name.padEnd(width + 2) + value}\n`)
    .join('');
};

/** Text of others within a line of ours. */
const oneLine = (text: string): string => printable(text.trimEnd()).replaceAll('\n', '\\n');

const MAX_PAIR_LENGTH = 200;
