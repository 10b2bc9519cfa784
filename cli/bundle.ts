import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Script } from 'node:vm';

/** A program of `dist/`, with the script that it was compiled to. */
export interface Bundle {
  readonly main: (argv: readonly string[]) => Promise<number>;
  readonly script: Script;
}

export const bundleFile = (name: string): string => join(__dirname, `${name}.js`);
export const codeCacheFile = (name: string): string => `${bundleFile(name)}.cache`;

/**
 * Loads a program as `require` would, but with the code that V8 compiled at build time where it is
 * there and made by this very V8: compiling is most of what a short command does. V8 itself refuses
 * a cache that does not fit, and compiles. Errors call it by the path that it has, or by `calledPath`.
 */
export const loadBundle = (name: string, calledPath = bundleFile(name)): Bundle => {
  const filename = bundleFile(name);
  const cachedData = readIfThere(codeCacheFile(name));
  // Bundles are ASCII, in which they are fastest to read.
  const source = `(function (exports, require, module, __filename, __dirname) {${readFileSync(filename, 'latin1')}\n})`;
  const script = new Script(source, {
    filename: calledPath,
    ...(cachedData === undefined ? {} : { cachedData }),
  });
  const module = { exports: {} };
  // It lies beside us, so our `require` is as good as one of its own.
  const run = script.runInThisContext() as (...args: readonly unknown[]) => void;
  run(module.exports, require, module, filename, dirname(filename));
  return { ...(module.exports as Pick<Bundle, 'main'>), script };
};

const readIfThere = (file: string): Buffer | undefined => {
  try {
    return readFileSync(file);
  } catch {
    // This program has none.
    return undefined;
  }
};
