import type { FileTime } from './libc';

/** A member for `buildTar`; text paths are written as UTF-8. */
export interface TarMember {
  readonly path: string;
  /** Default `0`, or `5` when the path ends in a slash. */
  readonly type?: string;
  readonly content?: string | Buffer;
  /** Default: the content's length. */
  readonly sizeBytes?: number;
  readonly link?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: FileTime;
  readonly major?: number;
  readonly minor?: number;
  /** Written as a pax header before the member. */
  readonly pax?: Readonly<Record<string, string | Buffer>>;
}

/** Builds tar archives for tests, hostile ones too: nothing is checked. Long names need `pax` or type `L`. */
export const buildTar = (...members: readonly TarMember[]): Buffer =>
  Buffer.concat([...members.map(buildMember), Buffer.alloc(1024)]);

const buildMember = (member: TarMember): Buffer => {
  const content = Buffer.from(member.content ?? '');
  const head = tarHead({ ...member, sizeBytes: member.sizeBytes ?? content.length });
  return Buffer.concat([head, content, tarPadding(content.length)]);
};

/** What comes before the content of a member that is written piece by piece. */
export const tarHead = (member: TarMember & { readonly sizeBytes: number }): Buffer => {
  const pax = Object.entries(member.pax ?? {});
  const extended =
    pax.length === 0
      ? Buffer.alloc(0)
      : buildMember({ path: 'pax', type: 'x', content: Buffer.concat(pax.map(paxRecord)) });
  return Buffer.concat([extended, headerOf(member)]);
};

const paxRecord = ([key, value]: [string, string | Buffer]): Buffer => {
  const body = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from('\n')]);
  let length = body.length;
  while (String(length).length + body.length !== length) {
    length = String(length).length + body.length;
  }
  return Buffer.concat([Buffer.from(String(length)), body]);
};

const headerOf = (member: TarMember & { readonly sizeBytes: number }): Buffer => {
  const block = Buffer.alloc(512);
  const octal = (value: number, offset: number, length: number): void =>
    void block.write(value.toString(8).padStart(length - 1, '0'), offset, 'latin1');
  block.write(member.path, 0, 100, 'utf8');
  octal(member.mode ?? (member.path.endsWith('/') ? 0o755 : 0o644), 100, 8);
  octal(member.uid ?? 0, 108, 8);
  octal(member.gid ?? 0, 116, 8);
  octal(member.sizeBytes, 124, 12);
  octal(member.mtime?.seconds ?? 1_700_000_000, 136, 12);
  block.write(member.type ?? (member.path.endsWith('/') ? '5' : '0'), 156, 1, 'latin1');
  block.write(member.link ?? '', 157, 100, 'utf8');
  block.write('ustar\x0000', 257, 8, 'latin1');
  octal(member.major ?? 0, 329, 8);
  octal(member.minor ?? 0, 337, 8);
  block.fill(0x20, 148, 156);
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return block;
};

/** What comes after so many bytes of content. */
export const tarPadding = (bytes: number): Buffer => Buffer.alloc((512 - (bytes % 512)) % 512);
