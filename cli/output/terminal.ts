import type { Writable } from 'node:stream';

/** Where a command writes; tests give their own. */
export interface Terminal {
  readonly out: Writable;
  readonly err: Writable;
  /** Colour and redrawing are for people at a terminal only. */
  readonly isInteractive: boolean;
  readonly columns: number;
}

export const systemTerminal = (): Terminal => ({
  out: process.stdout,
  err: process.stderr,
  isInteractive:
    process.stdout.isTTY && process.env['NO_COLOR'] === undefined && process.env['TERM'] !== 'dumb',
  // A terminal that does not know its size says 0.
  columns: process.stdout.isTTY ? process.stdout.columns || 80 : 160,
});

/** Replaces what could drive a terminal, or turn a line round: names and messages come from others. */
export const printable = (text: string): string =>
  text.replace(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g,
    (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );

/** JSON of the same meaning without what could drive a terminal: its writer leaves DEL and all above. */
export const printableJson = (text: string): string =>
  text.replace(
    /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
