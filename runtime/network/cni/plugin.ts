import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { z } from 'zod';

import { withDeadline } from '../../../lib/async/deadline';
import { onAbort } from '../../../lib/async/on-abort';
import type { Clock } from '../../../lib/clock';
import { parseJson, stringifyJson } from '../../../lib/json';

export type CniCommand = 'ADD' | 'DEL' | 'CHECK' | 'GC' | 'STATUS' | 'VERSION';

/** One call of one plugin. */
export interface PluginCall {
  readonly command: CniCommand;
  readonly type: string;
  /** Of the network, for errors. */
  readonly networkName: string;
  readonly input: Readonly<Record<string, unknown>>;
  /** `CNI_…` beside the command and the path. */
  readonly variables: Readonly<Record<string, string>>;
}

export interface PluginDeps {
  /** Folders with plugins, the first of which that has one is taken. */
  readonly path: readonly string[];
  readonly clock: Clock;
  readonly timeoutMs: number;
}

/** A plugin has failed, or was none. */
export class PluginError extends Error {
  override readonly name = 'PluginError';
  constructor(
    message: string,
    /** What the plugin said: below 100 the specification's own. */
    readonly code: number | undefined,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/**
 * What the plugin has written, parsed; undefined when that is nothing. It and what it has started are
 * killed when its time is up, when it writes without end, and when `signal` aborts.
 * @throws PluginError in libcni's words, with the plugin's own, cut short
 */
export const callPlugin = async (
  deps: PluginDeps,
  call: PluginCall,
  signal?: AbortSignal,
): Promise<unknown> => {
  const { command, type, networkName } = call;
  const verb = VERBS[command];
  const failed = `plugin type="${type}" name="${networkName}" failed (${verb})`;
  try {
    const file = await findPlugin(type, deps.path);
    const deadline = { what: 'it', limitMs: deps.timeoutMs, clock: deps.clock, signal };
    const ended = await withDeadline(deadline, (stop) => run(file, call, deps.path, stop));
    return resultOf(ended);
  } catch (error) {
    signal?.throwIfAborted();
    const code = error instanceof PluginError ? error.code : undefined;
    const reason = error instanceof Error ? error.message : String(error);
    throw new PluginError(`${failed}: ${reason}`, code, { cause: error });
  }
};

const VERBS: Readonly<Record<CniCommand, string>> = {
  ADD: 'add',
  DEL: 'delete',
  CHECK: 'check',
  GC: 'gc',
  STATUS: 'status',
  VERSION: 'version',
};

const findPlugin = async (type: string, path: readonly string[]): Promise<string> => {
  for (const folder of path) {
    if (!isAbsolute(folder)) continue;
    const file = join(folder, type);
    try {
      await access(file, constants.X_OK);
      return file;
    } catch {
      // The next folder may have it.
    }
  }
  throw new Error(`failed to find plugin "${type}" in path [${path.join(' ')}]`);
};

interface Ended {
  readonly status: number | NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

const run = (
  file: string,
  { command, input, variables }: PluginCall,
  path: readonly string[],
  signal: AbortSignal,
): Promise<Ended> =>
  new Promise((resolve, reject) => {
    // What cannot be written is found before there is somebody who waits for it.
    const text = stringifyJson(input);
    const env = { ...process.env, ...variables, CNI_COMMAND: command, CNI_PATH: path.join(':') };
    // A group of its own: with it dies what it has started.
    const child = spawn(file, [], { detached: true, env, stdio: ['pipe', 'pipe', 'pipe'] });
    const giveUp = (error: Error): void => {
      killGroup(child);
      child.stdout.destroy();
      child.stderr.destroy();
      reject(error);
    };
    onAbort(signal, () => giveUp(signal.reason as Error));
    const stdout: Buffer[] = [];
    let [outBytes, stderr] = [0, ''];
    child.stdout.on('data', (chunk: Buffer) => {
      outBytes += chunk.length;
      if (outBytes > MAX_OUTPUT_BYTES)
        giveUp(new Error(`it wrote more than ${MAX_OUTPUT_BYTES} bytes`));
      else stdout.push(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr = (stderr + chunk.toString()).slice(-MAX_STDERR_LENGTH);
    });
    child.on('error', reject);
    child.on('close', (code, killedBy) =>
      resolve({ status: code ?? killedBy, stdout: Buffer.concat(stdout).toString(), stderr }),
    );
    // It may end before it has read all; its exit status tells.
    child.stdin.on('error', () => undefined);
    child.stdin.end(text);
  });

const killGroup = ({ pid }: ChildProcess): void => {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody is left of it.
  }
};

const resultOf = ({ status, stdout, stderr }: Ended): unknown => {
  if (status !== 0) throw pluginErrorOf(status, stdout, stderr);
  if (stdout.trim() === '') return undefined;
  try {
    return parseJson(stdout);
  } catch (error) {
    throw new Error(`it wrote no JSON: ${quoted(stdout)}`, { cause: error });
  }
};

/** @see upstream's pluginErr in pkg/invoke/raw_exec.go */
const pluginErrorOf = (status: Ended['status'], stdout: string, stderr: string): PluginError => {
  if (stdout.trim() === '')
    return new PluginError(
      stderr.trim() === ''
        ? `netplugin failed with no error message: exit status ${status ?? 'unknown'}`
        : `netplugin failed: ${quoted(stderr)}`,
      undefined,
    );
  const parsed = errorSchema.safeParse(jsonOrNone(stdout));
  if (!parsed.success)
    return new PluginError(
      `netplugin failed but error parsing its diagnostic message ${quoted(stdout)}`,
      undefined,
    );
  const { code, msg, details } = parsed.data;
  const more = details === '' ? '' : `; ${short(details)}`;
  return new PluginError(`${short(msg)}${more} (code ${code})`, code);
};

const jsonOrNone = (text: string): unknown => {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
};

const errorSchema = z.looseObject({
  code: z.number().int().default(0),
  msg: z.string().default(''),
  details: z.string().default(''),
});

const quoted = (text: string): string => stringifyJson(short(text.trim()));

/** A plugin's words go into events. */
const short = (text: string): string => {
  const plain = text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
  return plain.length <= MAX_WORDS_LENGTH ? plain : `${plain.slice(0, MAX_WORDS_LENGTH)}...`;
};

const MAX_OUTPUT_BYTES = 1 << 20;
const MAX_STDERR_LENGTH = 4096;
const MAX_WORDS_LENGTH = 256;
