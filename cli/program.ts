import { CommanderError, type Command } from 'commander';
import { describeError } from '../lib/describe-error';
import { UsageError } from './usage-error';

/** One signal for a program's life: the first SIGTERM or SIGINT stops it, the second ends it. */
export const stopSignal = (): AbortSignal => {
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(1);
      stop.abort();
    });
  }
  return stop.signal;
};

/** Runs a commander program; resolves with the exit code, having told what went wrong. */
export const runProgram = async (program: Command, argv: readonly string[]): Promise<number> => {
  try {
    await program.exitOverride().parseAsync([...argv], { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 1;
    const text = error instanceof UsageError ? error.message : describeError(error);
    process.stderr.write(`error: ${text}\n`);
    return 1;
  }
};

/** Collects a repeatable option: `--label a=b --label c=d`, or `a=b,c=d`. */
export const collect = (value: string, previous: readonly string[]): readonly string[] => [
  ...previous,
  ...value.split(',').filter((part) => part !== ''),
];

/** A whole number option. @throws UsageError */
export const wholeNumber =
  (name: string) =>
  (value: string): number => {
    if (!/^\d{1,9}$/.test(value)) throw new UsageError(`${name}: "${value}" is not a whole number`);
    return Number(value);
  };
