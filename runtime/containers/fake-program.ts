import type { Clock } from '../../lib/clock';

/** What a fake process may do. Runs until it returns its exit code or `signal` aborts. */
export type FakeProgram = (context: FakeProcessContext) => Promise<number>;

export interface FakeProcessContext {
  readonly args: readonly string[];
  readonly env: readonly string[];
  /** Aborts when the process is killed. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  write(stream: 'stdout' | 'stderr', text: string): void;
  /** The next piece of stdin, or undefined at its end. */
  readStdin(): Promise<Uint8Array | undefined>;
}

/** Thrown by a program whose command does not exist. */
export class FakeStartError extends Error {}

/**
 * Understands what tests need of a shell: `sh -c 'a; b'` of echo, exit, sleep, cat, true, false, and
 * `>&2`. Any other command is not found.
 */
export const shellProgram: FakeProgram = async (context) => {
  const [command = '', ...rest] = context.args;
  const name = command.slice(command.lastIndexOf('/') + 1);
  if (name !== 'sh') return runCommand(name, rest, context);
  const script = rest[rest.indexOf('-c') + 1] ?? '';
  let code = 0;
  for (const statement of script.split(';')) {
    const words = statement
      .trim()
      .replace(/^exec /, '')
      .split(/\s+/);
    const [first = '', ...args] = words;
    if (first === '') continue;
    if (first === 'exit') return Number(args[0] ?? code) & 0xff;
    code = await runCommand(first, args, context);
    if (context.signal.aborted) return code;
  }
  return code;
};

/** Throws when `shellProgram` would find no such command. */
export const checkCommand = (args: readonly string[]): void => {
  const command = args[0] ?? '';
  if (!COMMANDS.has(command.slice(command.lastIndexOf('/') + 1))) {
    throw new FakeStartError(`exec: "${command}": no such file or directory`);
  }
};

const COMMANDS = new Set(['sh', 'echo', 'sleep', 'cat', 'true', 'false']);

const runCommand = async (
  name: string,
  args: readonly string[],
  context: FakeProcessContext,
): Promise<number> => {
  switch (name) {
    case 'echo': {
      const isError = args.at(-1) === '>&2';
      const words = isError ? args.slice(0, -1) : args;
      context.write(isError ? 'stderr' : 'stdout', `${words.join(' ')}\n`);
      return 0;
    }
    case 'sleep':
      await context.clock.sleep(Number(args[0]) * 1000, context.signal);
      return 0;
    case 'cat':
      return copyStdin(context);
    case 'true':
      return 0;
    case 'false':
      return 1;
    default:
      context.write('stderr', `sh: ${name}: not found\n`);
      return 127;
  }
};

const copyStdin = async (context: FakeProcessContext): Promise<number> => {
  for (;;) {
    const piece = await context.readStdin();
    if (piece === undefined || context.signal.aborted) return 0;
    context.write('stdout', Buffer.from(piece).toString());
  }
};
