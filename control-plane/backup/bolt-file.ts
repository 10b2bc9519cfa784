import { open, type FileHandle } from 'node:fs/promises';

/** A key with its value, as a bucket holds them. */
export interface BoltEntry {
  readonly key: Buffer;
  readonly value: Buffer;
}

/**
 * The file of etcd's storage, a B+ tree by bbolt, while nobody else has it open. Enough of the format to
 * read the last key of a bucket and to put some: pages are never changed in place, the new ones go to the
 * end, and the header that names them is written last, so that a crash leaves the file as it was.
 * Source: go.etcd.io/bbolt, page.go, bucket.go and db.go; version 2 of the format.
 */
export class BoltFile implements AsyncDisposable {
  private constructor(
    private readonly file: FileHandle,
    private meta: Meta,
  ) {}

  /** @throws Error when it is no such file */
  static async open(path: string): Promise<BoltFile> {
    const file = await open(path, 'r+');
    try {
      return new BoltFile(file, await readMeta(file, path));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** The entry with the greatest key; undefined for an empty bucket. @throws Error when there is none of the name */
  async last(bucket: string): Promise<BoltEntry | undefined> {
    let page = await this.rootOf(bucket);
    while (page.kind === 'branch') page = await this.read(page.items.at(-1)?.child ?? 0);
    const item = page.items.at(-1);
    return item && { key: item.key, value: item.value };
  }

  /** Undefined when the bucket has no such key. */
  async get(bucket: string, key: Buffer): Promise<Buffer | undefined> {
    let page = await this.rootOf(bucket);
    while (page.kind === 'branch')
      page = await this.read(page.items[placeIn(page, key)]?.child ?? 0);
    return page.items.find((item) => item.key.equals(key))?.value;
  }

  /** All or none of them is there afterwards, and on disk. */
  async put(entries: readonly (BoltEntry & { readonly bucket: string })[]): Promise<void> {
    const change = new Change(this.file, this.meta);
    let root = this.meta.root;
    for (const { bucket, key, value } of entries) {
      const top = await change.read(root);
      const header = bucketIn(top, bucket);
      const inside =
        header.root === 0 ? decodePage(header.inline, 0) : await change.read(header.root);
      const changed = await change.putInto(inside, { flags: 0, key, value });
      const name = Buffer.from(bucket);
      root = await change.putInto(top, {
        ...{ flags: BUCKET_ENTRY, key: name },
        value: Buffer.concat([uint64(changed), header.sequence]),
      });
    }
    await this.file.datasync();
    this.meta = { ...this.meta, root, end: change.end, transaction: this.meta.transaction + 1n };
    await writeMeta(this.file, this.meta);
    await this.file.datasync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.file.close();
  }

  private async rootOf(bucket: string): Promise<Page> {
    const header = bucketIn(await this.read(this.meta.root), bucket);
    return header.root === 0 ? decodePage(header.inline, 0) : this.read(header.root);
  }

  private read(id: number): Promise<Page> {
    return readPage(this.file, this.meta, id);
  }
}

interface Meta {
  readonly pageBytes: number;
  readonly root: number;
  readonly sequence: bigint;
  readonly freelist: bigint;
  /** The first page that is not in use, nor any after it. */
  readonly end: number;
  readonly transaction: bigint;
}

interface Leaf {
  readonly kind: 'leaf';
  readonly items: readonly LeafItem[];
}

interface LeafItem extends BoltEntry {
  readonly flags: number;
}

interface Branch {
  readonly kind: 'branch';
  readonly items: readonly { readonly key: Buffer; readonly child: number }[];
}

type Page = Leaf | Branch;

/** Pages that nothing refers to yet. */
class Change {
  end: number;

  constructor(
    private readonly file: FileHandle,
    private readonly meta: Meta,
  ) {
    this.end = meta.end;
  }

  read(id: number): Promise<Page> {
    return readPage(this.file, { ...this.meta, end: this.end }, id);
  }

  /** Returns the page that takes the place of `page`. */
  async putInto(page: Page, item: LeafItem): Promise<number> {
    if (page.kind === 'leaf') return this.append(encodeLeaf(withItem(page, item)));
    const place = placeIn(page, item.key);
    const old = page.items[place];
    if (old === undefined) throw new Error('a page of the storage is empty');
    const child = await this.putInto(await this.read(old.child), item);
    const key = Buffer.compare(item.key, old.key) < 0 ? item.key : old.key;
    return this.append(encodeBranch({ ...page, items: page.items.with(place, { key, child }) }));
  }

  private async append({ flags, count, body }: EncodedPage): Promise<number> {
    const { pageBytes } = this.meta;
    const id = this.end;
    const pageCount = Math.ceil((PAGE_HEADER_BYTES + body.length) / pageBytes);
    const bytes = Buffer.alloc(pageCount * pageBytes);
    bytes.writeBigUInt64LE(BigInt(id), 0);
    bytes.writeUInt16LE(flags, 8);
    bytes.writeUInt16LE(count, 10);
    bytes.writeUInt32LE(pageCount - 1, 12);
    body.copy(bytes, PAGE_HEADER_BYTES);
    await this.file.write(bytes, 0, bytes.length, id * pageBytes);
    this.end += pageCount;
    return id;
  }
}

const withItem = ({ items }: Leaf, item: LeafItem): Leaf => {
  const before = items.filter(({ key }) => Buffer.compare(key, item.key) < 0);
  const after = items.filter(({ key }) => Buffer.compare(key, item.key) > 0);
  return { kind: 'leaf', items: [...before, item, ...after] };
};

/** Of the child that holds `key`, or would. */
const placeIn = ({ items }: Branch, key: Buffer): number =>
  Math.max(
    0,
    items.findLastIndex((item) => Buffer.compare(item.key, key) <= 0),
  );

const bucketIn = (page: Page, name: string) => {
  if (page.kind !== 'leaf') throw new Error('the storage has more buckets than etcd makes');
  const item = page.items.find(({ key }) => key.toString() === name);
  if (item === undefined || (item.flags & BUCKET_ENTRY) === 0)
    throw new Error(`the storage has no bucket ${name}: it is not etcd's`);
  return {
    root: Number(item.value.readBigUInt64LE(0)),
    sequence: item.value.subarray(8, BUCKET_HEADER_BYTES),
    /** Of a bucket that is too small for a page of its own. */
    inline: item.value.subarray(BUCKET_HEADER_BYTES),
  };
};

const readPage = async (file: FileHandle, meta: Meta, id: number): Promise<Page> => {
  const { pageBytes, end } = meta;
  if (id < 2 || id >= end) throw new Error(`the storage is damaged: it has no page ${id}`);
  const first = await readAt(file, id * pageBytes, pageBytes);
  const overflow = first.readUInt32LE(12);
  if (id + overflow >= end) throw new Error(`the storage is damaged: page ${id} has no end`);
  const whole =
    overflow === 0 ? first : await readAt(file, id * pageBytes, (overflow + 1) * pageBytes);
  return decodePage(whole, id);
};

const decodePage = (bytes: Buffer, id: number): Page => {
  const flags = bytes.readUInt16LE(8);
  const count = bytes.readUInt16LE(10);
  const places = Array.from({ length: count }, (_, i) => PAGE_HEADER_BYTES + i * ITEM_BYTES);
  const slice = (from: number, length: number): Buffer => {
    if (from + length > bytes.length) throw new Error(`the storage is damaged in page ${id}`);
    return bytes.subarray(from, from + length);
  };
  if (flags === LEAF_PAGE)
    return {
      kind: 'leaf',
      items: places.map((at) => {
        const from = at + bytes.readUInt32LE(at + 4);
        const keyBytes = bytes.readUInt32LE(at + 8);
        return {
          flags: bytes.readUInt32LE(at),
          key: slice(from, keyBytes),
          value: slice(from + keyBytes, bytes.readUInt32LE(at + 12)),
        };
      }),
    };
  if (flags !== BRANCH_PAGE) throw new Error(`the storage is damaged: page ${id} is of no kind`);
  return {
    kind: 'branch',
    items: places.map((at) => ({
      key: slice(at + bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)),
      child: Number(bytes.readBigUInt64LE(at + 8)),
    })),
  };
};

interface EncodedPage {
  readonly flags: number;
  readonly count: number;
  readonly body: Buffer;
}

const encodeLeaf = ({ items }: Leaf): EncodedPage => {
  const heads = Buffer.alloc(items.length * ITEM_BYTES);
  let from = heads.length;
  items.forEach(({ flags, key, value }, index) => {
    const at = index * ITEM_BYTES;
    heads.writeUInt32LE(flags, at);
    heads.writeUInt32LE(from - at, at + 4);
    heads.writeUInt32LE(key.length, at + 8);
    heads.writeUInt32LE(value.length, at + 12);
    from += key.length + value.length;
  });
  const body = Buffer.concat([heads, ...items.flatMap(({ key, value }) => [key, value])]);
  return { flags: LEAF_PAGE, count: items.length, body };
};

const encodeBranch = ({ items }: Branch): EncodedPage => {
  const heads = Buffer.alloc(items.length * ITEM_BYTES);
  let from = heads.length;
  items.forEach(({ key, child }, index) => {
    const at = index * ITEM_BYTES;
    heads.writeUInt32LE(from - at, at);
    heads.writeUInt32LE(key.length, at + 4);
    heads.writeBigUInt64LE(BigInt(child), at + 8);
    from += key.length;
  });
  const body = Buffer.concat([heads, ...items.map(({ key }) => key)]);
  return { flags: BRANCH_PAGE, count: items.length, body };
};

/** The newer of the two that is whole. */
const readMeta = async (file: FileHandle, path: string): Promise<Meta> => {
  const start = await readAt(file, 0, PAGE_HEADER_BYTES + META_BYTES);
  const first = decodeMeta(start);
  const pageBytes = first?.pageBytes ?? 4096;
  const second = decodeMeta(await readAt(file, pageBytes, PAGE_HEADER_BYTES + META_BYTES));
  const found = [first, second].filter((meta) => meta !== undefined);
  const [newest] = found.sort((a, b) => Number(b.transaction - a.transaction));
  if (newest === undefined) throw new Error(`${path} is not a file of etcd's storage`);
  return newest;
};

const decodeMeta = (page: Buffer): Meta | undefined => {
  const bytes = page.subarray(PAGE_HEADER_BYTES);
  const isWhole =
    bytes.length === META_BYTES &&
    bytes.readUInt32LE(0) === MAGIC &&
    bytes.readUInt32LE(4) === VERSION &&
    bytes.readBigUInt64LE(META_BYTES - 8) === fnv64a(bytes.subarray(0, META_BYTES - 8));
  if (!isWhole) return undefined;
  return {
    pageBytes: bytes.readUInt32LE(8),
    root: Number(bytes.readBigUInt64LE(16)),
    sequence: bytes.readBigUInt64LE(24),
    freelist: bytes.readBigUInt64LE(32),
    end: Number(bytes.readBigUInt64LE(40)),
    transaction: bytes.readBigUInt64LE(48),
  };
};

const writeMeta = async (file: FileHandle, meta: Meta): Promise<void> => {
  const place = Number(meta.transaction % 2n);
  const page = Buffer.alloc(PAGE_HEADER_BYTES + META_BYTES);
  page.writeBigUInt64LE(BigInt(place), 0);
  page.writeUInt16LE(META_PAGE, 8);
  const bytes = page.subarray(PAGE_HEADER_BYTES);
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt32LE(VERSION, 4);
  bytes.writeUInt32LE(meta.pageBytes, 8);
  bytes.writeBigUInt64LE(BigInt(meta.root), 16);
  bytes.writeBigUInt64LE(meta.sequence, 24);
  bytes.writeBigUInt64LE(meta.freelist, 32);
  bytes.writeBigUInt64LE(BigInt(meta.end), 40);
  bytes.writeBigUInt64LE(meta.transaction, 48);
  bytes.writeBigUInt64LE(fnv64a(bytes.subarray(0, META_BYTES - 8)), META_BYTES - 8);
  await file.write(page, 0, page.length, place * meta.pageBytes);
};

const readAt = async (file: FileHandle, position: number, length: number): Promise<Buffer> => {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await file.read(bytes, 0, length, position);
  return bytes.subarray(0, bytesRead);
};

const fnv64a = (bytes: Uint8Array): bigint => {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash;
};

const uint64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};

const PAGE_HEADER_BYTES = 16;
const ITEM_BYTES = 16;
const BUCKET_HEADER_BYTES = 16;
const META_BYTES = 64;
const BRANCH_PAGE = 1;
const LEAF_PAGE = 2;
const META_PAGE = 4;
const BUCKET_ENTRY = 1;
const MAGIC = 0xed0cdaed;
const VERSION = 2;
