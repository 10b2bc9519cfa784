import { existsSync, statSync } from 'node:fs';
import { basename, posix, resolve } from 'node:path';
import { Readable, Writable } from 'node:stream';
import type { CliContext } from '../context';
import { pack } from '../copy/pack';
import { Unpacker } from '../copy/unpack';
import { printable } from '../output/terminal';
import { runInPod } from '../pod-stream';
import { UsageError } from '../usage-error';
import { defaultContainer } from './logs';

export interface CopyOptions {
  readonly container?: string;
  readonly preserve?: boolean;
  readonly maxBytes?: number;
}

/** `[[NAMESPACE/]POD:]PATH` */
interface Spec {
  readonly namespace?: string;
  readonly pod?: string;
  readonly path: string;
}

/** Copies a file or a folder to a container, or from one. */
export const cp = async (
  context: CliContext,
  from: string,
  to: string,
  options: CopyOptions,
): Promise<void> => {
  const [source, target] = [parseSpec(from), parseSpec(to)];
  if ((source.pod === undefined) === (target.pod === undefined)) {
    const lacking = source.pod === undefined ? 'remote' : 'local';
    throw new UsageError(`one of src or dest must be a ${lacking} file specification`);
  }
  if (source.path === '' || target.path === '') throw new UsageError('filepath can not be empty');
  const remote = source.pod === undefined ? target : source;
  const own = { ...context, namespace: remote.namespace ?? context.namespace };
  const pod = remote.pod ?? '';
  const container = options.container ?? (await defaultContainer(own, pod));
  const copy = { context: own, pod, container };
  if (source.pod === undefined) await send(copy, source.path, target.path);
  else await fetch(copy, source.path, target.path, options);
};

/** Pure. A path of this machine may have a colon behind a slash. @throws UsageError */
export const parseSpec = (text: string): Spec => {
  const [, place, path] = /^([^/:]+(?:\/[^/:]+)?):(.*)$/s.exec(text) ?? [];
  if (place === undefined || path === undefined || /^\.{0,2}\//.test(text)) return { path: text };
  const [first = '', second] = place.split('/');
  return second === undefined ? { pod: first, path } : { namespace: first, pod: second, path };
};

interface Copy {
  readonly context: CliContext;
  readonly pod: string;
  readonly container: string;
}

const send = async ({ context, pod, container }: Copy, from: string, to: string): Promise<void> => {
  if (!existsSync(from)) throw new UsageError(`${from} doesn't exist in local filesystem`);
  const isFolder = await runInPod(
    context,
    { pod, container, command: ['test', '-d', to] },
    { out: nowhere(), err: nowhere() },
  );
  const target = isFolder === 0 ? posix.join(to, basename(resolve(from))) : to;
  const complaint = new Text();
  const command = ['tar', '-xmf', '-', '-C', posix.dirname(target)];
  const stdin = Readable.from(pack(from, posix.basename(target)), { objectMode: false });
  const streams = { stdin, out: nowhere(), err: complaint };
  const code = await runInPod(context, { pod, container, command }, streams);
  if (code !== 0) throw failed('unpack', container, code, complaint.text);
};

const fetch = async (
  { context, pod, container }: Copy,
  from: string,
  to: string,
  { preserve, maxBytes = BYTES_MAX }: CopyOptions,
): Promise<void> => {
  const path = posix.normalize(from).replace(/(?<=.)\/$/, '');
  const name = path === '/' || path === '.' ? '' : posix.basename(path);
  if (name === '..') throw new UsageError(`name what is to be copied: "${from}" does not`);
  const isFile =
    (await runInPod(
      context,
      { pod, container, command: ['test', '-d', path] },
      { out: nowhere(), err: nowhere() },
    )) !== 0;
  const isInto = isFile && existsSync(to) && statSync(to).isDirectory();
  using unpacker = new Unpacker({
    target: isInto ? resolve(to, name) : resolve(to),
    prefix: name,
    keepsModes: preserve !== false,
    bytesMax: maxBytes,
    onSkipped: (what) =>
      context.terminal.err.write(
        `warning: skipping ${printable(what)}: only files and folders are copied\n`,
      ),
  });
  const complaint = new Text();
  const out = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      try {
        unpacker.push(chunk);
        done();
      } catch (error) {
        done(error as Error);
      }
    },
  });
  const command = [
    'tar',
    'cf',
    '-',
    '-C',
    name === '' ? path : posix.dirname(path),
    name === '' ? '.' : name,
  ];
  const code = await runInPod(context, { pod, container, command }, { out, err: complaint });
  if (code !== 0 || unpacker.count === 0) throw failed('pack', container, code, complaint.text);
  unpacker.end();
};

const failed = (doing: string, container: string, code: number, said: string): UsageError =>
  new UsageError(
    code === 126 || code === 127
      ? `container ${container} has no tar, by which files are copied: try dhow exec with cat`
      : `tar in container ${container} could not ${doing} it (exit code ${code}): ${said.trim()}`,
  );

const nowhere = (): Writable => new Writable({ write: (_chunk, _encoding, done) => done() });

/** The beginning of what is written. */
class Text extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.text.length < TEXT_MAX) this.text += chunk.toString().slice(0, TEXT_MAX);
    done();
  }
}

const TEXT_MAX = 4096;
const BYTES_MAX = 64 * 1024 ** 3;
