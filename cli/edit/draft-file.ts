import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readWithin } from '../../lib/files';

/** A file that the user edits, which nobody else can read. It goes when disposed of, unless kept. */
export class DraftFile implements Disposable {
  private readonly folder = mkdtempSync(join(tmpdir(), 'dhow-edit-'));
  private isKept = false;
  private shown = '';
  readonly path: string;

  constructor(name: string) {
    this.path = join(this.folder, name.replace(/[^\w.-]/g, '_'));
  }

  /** Puts a text there to be edited. */
  show(text: string): void {
    this.shown = text;
    writeFileSync(this.path, text, { mode: 0o600 });
  }

  /** What the user has made of it. */
  read(): string {
    return readWithin(this.path, BYTES_MAX).toString();
  }

  /** Is it other than what was shown? */
  get isTouched(): boolean {
    return this.read() !== this.shown;
  }

  /** Leaves it to the user; says where. */
  keep(): string {
    this.isKept = true;
    return `A copy of your changes has been stored to "${this.path}"\n`;
  }

  [Symbol.dispose](): void {
    if (!this.isKept) rmSync(this.folder, { recursive: true, force: true });
  }
}

const BYTES_MAX = 16 * 1024 * 1024;
