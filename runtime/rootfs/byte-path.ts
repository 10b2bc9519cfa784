/**
 * Names in layers are bytes, not text. Inside the unpacker they are "byte strings": one character
 * (0-255) per byte, so that any name survives exactly. These functions cross to paths and text.
 */

/** What `node:fs` takes for the byte string `path`. */
export const fsPath = (path: string): string | Buffer =>
  ASCII.test(path) ? path : Buffer.from(path, 'latin1');

/** A byte string as text, for messages: control characters and quotes are escaped. */
export const readable = (path: string): string =>
  JSON.stringify(Buffer.from(path, 'latin1').toString('utf8').slice(0, 512));

/** The byte string of an ordinary text path. */
export const toBytes = (text: string): string =>
  ASCII.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');

/**
 * The components of `path` below a root: empty ones and `.` vanish, `..` stops at the root. The
 * answer never names anything outside.
 */
export const components = (path: string): string[] => {
  const kept: string[] = [];
  for (const name of path.split('/')) {
    if (name === '' || name === '.') continue;
    if (name === '..') kept.pop();
    else kept.push(name);
  }
  return kept;
};

const ASCII = /^[\x00-\x7f]*$/;
