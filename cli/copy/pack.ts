import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { tarHead, tarPadding, type TarMember } from '../../runtime/rootfs/tar-builder';

/** A file or a folder of this machine as a tar archive, in which it is called `name`. */
export async function* pack(path: string, name: string): AsyncGenerator<Buffer> {
  yield* member(path, name);
  yield Buffer.alloc(2 * 512);
}

async function* member(path: string, name: string): AsyncGenerator<Buffer> {
  const stat = await lstat(path);
  const common = {
    mode: stat.mode & 0o777,
    mtime: { seconds: Math.floor(stat.mtimeMs / 1000), nanos: 0 },
  };
  if (stat.isDirectory()) {
    yield headOf(`${name}/`, { ...common, type: '5', sizeBytes: 0 });
    for (const each of (await readdir(path)).sort()) {
      yield* member(join(path, each), `${name}/${each}`);
    }
  } else if (stat.isSymbolicLink()) {
    yield headOf(name, { ...common, type: '2', link: await readlink(path), sizeBytes: 0 });
  } else if (stat.isFile()) {
    yield headOf(name, { ...common, type: '0', sizeBytes: stat.size });
    yield* exactly(path, stat.size);
    yield tarPadding(stat.size);
  }
}

/** So many bytes, also of a file that shrinks or grows meanwhile. @throws Error when it shrinks */
async function* exactly(path: string, bytes: number): AsyncGenerator<Buffer> {
  if (bytes === 0) return;
  let left = bytes;
  const content = createReadStream(path, { end: bytes - 1 }) as AsyncIterable<Buffer>;
  for await (const chunk of content) {
    left -= chunk.length;
    yield chunk;
  }
  if (left > 0) throw new Error(`${path} has become shorter while it was read`);
}

const headOf = (
  path: string,
  member: Omit<TarMember, 'path'> & { readonly sizeBytes: number },
): Buffer => {
  const isLong = Buffer.byteLength(path) > 100 || Buffer.byteLength(member.link ?? '') > 100;
  const isLarge = member.sizeBytes > OCTAL_MAX;
  const pax = {
    ...(isLong ? { path, ...(member.link === undefined ? {} : { linkpath: member.link }) } : {}),
    ...(isLarge ? { size: String(member.sizeBytes) } : {}),
  };
  return tarHead({ ...member, path, sizeBytes: isLarge ? 0 : member.sizeBytes, pax });
};

/** What eleven octal digits hold. */
const OCTAL_MAX = 8 ** 11 - 1;
