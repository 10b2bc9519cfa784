import { constants } from 'node:os';
import { CommanderError, Option, type Command } from 'commander';
import { withPlainFlags } from './boolean-flags';
import { messageOf } from './message';
import { UsageError } from './usage-error';

type StopSignal = 'SIGTERM' | 'SIGINT';

/** Exit code of a program that was told to stop, as shells tell it: 128 and the signal's number. */
const interruptedBy = (name: StopSignal): number => 128 + constants.signals[name];

/** Why an `AbortSignal` of a program is aborted. */
export class Stopped extends Error {
  override readonly name = 'AbortError';

  constructor(readonly signalName: StopSignal) {
    super(`stopped by ${signalName}`);
  }
}

/** One signal for a program's life: the first that asks it to stop does, the second ends it. */
export const stopSignal = (): AbortSignal => {
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(1);
      stop.abort(new Stopped(name));
    });
  }
  return stop.signal;
};

/** Aborted by SIGPWR: the machine is about to go down. */
export const powerSignal = (): AbortSignal => {
  const power = new AbortController();
  process.on('SIGPWR', () => power.abort());
  return power.signal;
};

/** The exit code that tells by which signal work ended: its `reason`, or an error with that cause. */
export const codeOfStop = (reason: unknown): number => {
  const stopped =
    reason instanceof Error && reason.cause instanceof Stopped ? reason.cause : reason;
  return interruptedBy(stopped instanceof Stopped ? stopped.signalName : 'SIGINT');
};

/** Runs a commander program; resolves with the exit code, having told what went wrong. */
export const runProgram = async (program: Command, argv: readonly string[]): Promise<number> => {
  hintAt(program);
  program.commands.forEach(hintAt);
  // Work that is half done is finished, or taken back, though nobody listens any more.
  process.stderr.on('error', () => undefined);
  try {
    await program.exitOverride().parseAsync(withPlainFlags(program, argv), { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 1;
    if (error instanceof Error && error.name === 'AbortError') return codeOfStop(error);
    process.stderr.write(`${messageOf(error)}\n`);
    return 1;
  }
};

/** Ends the complaint about wrong usage by naming the right one. */
export const hintAt = (command: Command): Command => {
  const names: string[] = [];
  for (let each: Command | null = command; each !== null; each = each.parent) {
    names.unshift(each.name());
  }
  return command.exitOverride().showHelpAfterError(`See '${names.join(' ')} --help' for usage.`);
};

/** Collects a repeatable option: `--label a=b --label c=d`, or `a=b,c=d`. */
export const collect = (value: string, previous: readonly string[] = []): readonly string[] => [
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

export const logLevel = (description: string): Option =>
  new Option('--log-level <level>', description).choices(['debug', 'info', 'warn', 'error']);
