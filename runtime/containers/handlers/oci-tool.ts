import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { describeError } from '../../../lib/log';
import { RuntimeError } from '../../container-runtime';

/** A runtime to call: `NAME=PATH`, with flags that each call of it begins with. */
export interface HandlerConfig {
  readonly name: string;
  readonly path: string;
  readonly flags: readonly string[];
}

/** A program with runc's command line. */
export class OciTool {
  readonly env = [`PATH=${searchPath()}`];

  constructor(
    private readonly config: HandlerConfig,
    readonly kind: 'runc' | 'crun' | 'runsc',
    readonly version: string,
    /** Where it keeps its states. */
    readonly root: string,
  ) {}

  get name(): string {
    return this.config.name;
  }

  get path(): string {
    return this.config.path;
  }

  /** What it keeps of a container; runsc has files, the others a folder. */
  statesOf(id: string): readonly string[] {
    if (!existsSync(this.root)) return [];
    return readdirSync(this.root)
      .filter((name) => name === id || name.startsWith(`${id}_`) || name === `runsc-${id}.sock`)
      .map((name) => join(this.root, name));
  }

  /** The words of a call; with `logPath` it writes its errors there. */
  command(args: readonly string[], logPath?: string): readonly string[] {
    const log = logPath === undefined ? [] : ['--log', logPath, '--log-format', 'json'];
    const { path, flags } = this.config;
    return [path, '--root', this.root, ...log, ...OWN_FLAGS[this.kind], ...flags, ...args];
  }

  /** Its output. Bounded in time and size. @throws RuntimeError with what it said, unless it ends so */
  async run(args: readonly string[], exitCode = 0): Promise<string> {
    const [program = '', ...words] = this.command(args);
    const what = `${this.path} ${args[0] ?? ''}`;
    return runProgram(program, words, what, exitCode);
  }
}

/** Asks it for its version. @throws RuntimeError when it does not answer as one of its kind */
export const openTool = async (config: HandlerConfig, root: string): Promise<OciTool> => {
  accessible(config.path);
  const text = await runProgram(config.path, ['--version'], config.path);
  const [, program = '', version = ''] = /^(\S+) version (\S+)/.exec(text) ?? [];
  if (version === '')
    throw new RuntimeError('handler', `${config.path} does not tell its version as runc does`);
  const kind = program === 'runsc' || program === 'crun' ? program : 'runc';
  return new OciTool(config, kind, version, join(root, config.name));
};

/** Where it is installed; undefined when it is not. */
export const installedProgram = (name: string): string | undefined =>
  searchPath()
    .split(':')
    .map((dir) => join(dir, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });

interface Failed {
  readonly code?: number | string;
  readonly stdout?: string;
  readonly stderr?: string;
  readonly killed?: boolean;
}

const accessible = (path: string): void => {
  try {
    accessSync(path, constants.X_OK);
  } catch (cause) {
    throw new RuntimeError('handler', `there is no program ${path}`, { cause });
  }
};

const runProgram = async (
  program: string,
  args: readonly string[],
  what: string,
  exitCode = 0,
): Promise<string> => {
  const options = {
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
    maxBuffer: MAX_OUTPUT_BYTES,
    env: { PATH: searchPath() },
    cwd: '/',
  } as const;
  try {
    const { stdout, stderr } = await promisify(execFile)(program, args, options);
    if (exitCode === 0) return stdout;
    throw new Error(stderr.trim() === '' ? 'it ended with 0' : stderr);
  } catch (error) {
    const { code, stdout = '', stderr = '', killed = false } = error as Failed;
    if (code === exitCode) return stdout;
    const said = stderr.trim().split('\n').at(-1) ?? '';
    const why = killed ? 'it does not end' : said === '' ? describeError(error) : said;
    throw new RuntimeError('handler', `${what}: ${why.slice(0, MAX_MESSAGE)}`, { cause: error });
  }
};

/** gVisor's own network stack cannot be in a sandbox's namespace on every kernel: it uses the host's. */
const OWN_FLAGS = { runc: [], crun: [], runsc: ['--network=host'] } as const;
const searchPath = (): string =>
  [process.env['PATH'] ?? '', '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin']
    .filter((each) => each !== '')
    .join(':');
const TIMEOUT_MS = 20_000;
const MAX_OUTPUT_BYTES = 1 << 20;
const MAX_MESSAGE = 1000;
