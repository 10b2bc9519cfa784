import { printable, type Terminal } from './terminal';

/**
 * Writes what servers warn of, each text once, as kubectl does (client-go, `rest.WarningWriterOptions`): one
 * command may send many objects, and each of them more than once.
 */
export const warningWriter = (err: Pick<Terminal['err'], 'write'>): ((text: string) => void) => {
  const written = new Set<string>();
  return (text) => {
    if (written.has(text)) return;
    if (written.size < TEXTS_MAX) written.add(text);
    err.write(`Warning: ${printable(text)}\n`);
  };
};

/** What is kept of them: texts beyond that are written each time. */
const TEXTS_MAX = 1_000;
