import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { NetworkError } from './errors';

/** One transaction of nft, in the network namespace pinned at a path or in our own. @throws NetworkError */
export const labNft = async (rules: string, netns?: string): Promise<void> => {
  const command =
    netns === undefined ? ['nft', '-f', '-'] : ['nsenter', `--net=${netns}`, 'nft', '-f', '-'];
  await labCommand(command, rules);
};

/** Its output. Bounded in time and size. @throws NetworkError with what the program said */
export const labCommand = async (
  [program = '', ...args]: readonly string[],
  input = '',
): Promise<string> => {
  const options = { timeout: TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES };
  const run = promisify(execFile)(program, args, options);
  // One that does not read says by its code how it went.
  run.child.stdin?.on('error', () => undefined);
  run.child.stdin?.end(input);
  try {
    return (await run).stdout;
  } catch (error) {
    const { code, stderr } = error as NodeJS.ErrnoException & { stderr?: string };
    const reason =
      String(code) === 'ENOENT'
        ? `${program} is not installed (package ${PACKAGES[program] ?? program})`
        : stderr;
    const words = [program, ...args].join(' ');
    throw new NetworkError('lab', `${words}: ${reason?.trim() ?? 'failed'}`, { cause: error });
  }
};

/** What `ip` lists. @throws NetworkError */
export const ipJson = async (...args: string[]): Promise<Record<string, unknown>[]> => {
  const output = await labCommand(['ip', '-json', ...args]);
  return output.trim() === '' ? [] : (JSON.parse(output) as Record<string, unknown>[]);
};

const PACKAGES: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  tc: 'iproute2',
  nft: 'nftables',
  nsenter: 'util-linux',
};
const TIMEOUT_MS = 10_000;
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
