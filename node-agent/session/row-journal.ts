import { appendFileSync, readFileSync } from 'node:fs';

import { parseJson, stringifyJson } from '../../lib/json';
import { describeError, type Log } from '../../lib/log';
import { hasErrorCode, writeFileAtomic } from '../files';

/** A row as it was last told; without `text` it is gone. */
export interface JournalEntry {
  readonly resource: string;
  readonly key: string;
  /** Its JSON, in one line. */
  readonly text?: string;
}

/**
 * A checkpoint of very many small rows in one file: what changes is appended, and the whole is written
 * anew when it has doubled. It is for a tmpfs, where a file of its own would cost each row 5 KB.
 */
export class RowJournal {
  private bytes = 0;
  /** Undefined: the file is not what it should be, and must be written as a whole. */
  private compactAtBytes: number | undefined;

  constructor(
    private readonly path: string,
    private readonly log: Log,
  ) {}

  /** What was kept, oldest first: a later entry replaces an earlier one. Lines cut short are dropped. */
  load(): JournalEntry[] {
    let text: string;
    try {
      text = readFileSync(this.path, 'utf8');
    } catch (error) {
      if (hasErrorCode(error, 'ENOENT')) return [];
      this.log.warn({ err: describeError(error) }, 'checkpoint of rows not read');
      return [];
    }
    const lines = text.split('\n').filter((line) => line !== '');
    const entries = lines.flatMap((line) => entryOf(line) ?? []);
    const isWhole = entries.length === lines.length && text.endsWith('\n');
    if (isWhole) this.measure(Buffer.byteLength(text));
    return entries;
  }

  /** Appends what changed; `all` gives every row when the file is to be written anew. */
  write(changes: readonly JournalEntry[], all: () => Iterable<JournalEntry>): void {
    if (changes.length === 0) return;
    try {
      const text = changes.map(lineOf).join('');
      const bytes = this.bytes + Buffer.byteLength(text);
      if (this.compactAtBytes === undefined || bytes > this.compactAtBytes) this.rewrite(all());
      else {
        appendFileSync(this.path, text, { mode: 0o600 });
        this.bytes = bytes;
      }
    } catch (error) {
      // Running on is better than stopping pods because /run is full.
      this.compactAtBytes = undefined;
      this.log.error({ err: describeError(error) }, 'checkpoint of rows not written');
    }
  }

  private rewrite(all: Iterable<JournalEntry>): void {
    const text = [...all].map(lineOf).join('');
    writeFileAtomic(this.path, text);
    this.measure(Buffer.byteLength(text));
  }

  private measure(bytes: number): void {
    this.bytes = bytes;
    this.compactAtBytes = 2 * bytes + SLACK_BYTES;
  }
}

const lineOf = ({ resource, key, text }: JournalEntry): string =>
  `${stringifyJson([resource, key])}${text === undefined ? '' : `\t${text}`}\n`;

/** Undefined for what no journal has written. */
const entryOf = (line: string): JournalEntry | undefined => {
  const at = line.indexOf('\t');
  const [head, text] = at < 0 ? [line] : [line.slice(0, at), line.slice(at + 1)];
  try {
    const parsed = parseJson(head);
    if (!Array.isArray(parsed)) return undefined;
    const [resource, key] = parsed as unknown[];
    if (typeof resource !== 'string' || typeof key !== 'string') return undefined;
    return { resource, key, ...(text === undefined ? {} : { text }) };
  } catch {
    return undefined;
  }
};

/** So that a small file is not written anew with every few changes. */
const SLACK_BYTES = 256 * 1024;
