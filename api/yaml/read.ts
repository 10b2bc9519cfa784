import {
  Alias,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  Scalar,
  type Document,
  type Node,
  type Pair,
  type YAMLMap,
} from 'yaml';
import { ParserLimitError, parseDocuments } from './bounded-parser';
import { resolveScalar } from './scalars';

/** A place in the text, counted from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A key that one mapping holds twice. The last one counts; the first is lost. */
export interface DuplicateKey {
  /** `spec.template.spec.containers[0].envFrom` */
  readonly path: string;
  readonly firstLine: number;
  readonly secondLine: number;
}

/** One document of a stream as plain JSON values. Integers beyond 2^53 are `bigint`. */
export interface YamlDocument {
  readonly value: unknown;
  readonly line: number;
  readonly duplicates: readonly DuplicateKey[];
  /** Where a field such as `spec.containers[0].image` stands, or the nearest parent that does. */
  readonly positionOf: (path: string) => Position;
}

/** The text is no YAML, or more than Dhow takes. */
export class YamlError extends Error {
  override readonly name = 'YamlError';

  constructor(
    message: string,
    readonly line?: number,
    options?: ErrorOptions,
    /** More than the reader takes, however well it is written. */
    readonly isOverLimit = false,
  ) {
    super(line === undefined ? message : `line ${line}: ${message}`, options);
  }
}

export interface ReadLimits {
  readonly bytesMax?: number;
  /** Values after aliases are followed: a few anchors can stand for billions. */
  readonly nodesMax?: number;
  /** Words, marks, line breaks and runs of spaces: what the parser's time grows with. */
  readonly tokensMax?: number;
}

const BYTES_MAX = 16 * 1024 * 1024;
const NODES_MAX = 1_000_000;
const TOKENS_MAX = 16_000_000;
const DEPTH_MAX = 200;
const TOO_DEEP = 'the input is nested too deeply';
/** A mapping and the key in it, or a list and its item, are two places on the parser's stack. */
const STACK_MAX = 2 * DEPTH_MAX + 8;

/**
 * Reads a stream of YAML or JSON documents. Empty ones are left out; byte-order marks and CRLF do no
 * harm, and UTF-16 is read where its mark says so, as kubectl does.
 * @throws YamlError
 */
export const readYaml = (
  source: string | Uint8Array,
  { bytesMax = BYTES_MAX, nodesMax = NODES_MAX, tokensMax = TOKENS_MAX }: ReadLimits = {},
): readonly YamlDocument[] => {
  const text = normalize(source, bytesMax);
  const lines = new LineCounter();
  return parse(text, lines, tokensMax).flatMap((document) => {
    const converter = new Converter(lines, nodesMax);
    const { contents } = document;
    const value = contents === null ? null : converter.convert(contents, '', 0).value;
    if (value === null || contents === null) return [];
    return [
      {
        value,
        line: lineOf(lines, contents),
        duplicates: converter.duplicates,
        positionOf: (path: string) => positionIn(lines, contents, path),
      },
    ];
  });
};

const normalize = (source: string | Uint8Array, bytesMax: number): string => {
  if (source.length > bytesMax) {
    throw overLimit(`the input is larger than ${bytesMax} bytes`);
  }
  const text = typeof source === 'string' ? source : decode(source);
  return text
    .replace(/\r\n?/g, '\n')
    .replace(/^\uFEFF/, '')
    .replace(MARK_BEFORE_DOCUMENT, '')
    .replace(MARK_AFTER_DASHES, '$1');
};

/** Files that were joined bring the marks of each: one before `---`, or on the line after it. */
const MARK_BEFORE_DOCUMENT = /^\uFEFF(?=---(?:\s|$))/gm;
const MARK_AFTER_DASHES = /^((?:---|\.\.\.)(?:[ \t][^\n]*)?\n+)\uFEFF/gm;

/** A mark of UTF-16 says so; all else is UTF-8. */
const decode = (bytes: Uint8Array): string => {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return decodeAs('utf-16le', 'UTF-16', bytes);
  if (first === 0xfe && second === 0xff) return decodeAs('utf-16be', 'UTF-16', bytes);
  return decodeAs('utf-8', 'UTF-8', bytes);
};

const overLimit = (message: string, line?: number, options?: ErrorOptions): YamlError =>
  new YamlError(message, line, options, true);

const decodeAs = (encoding: string, name: string, bytes: Uint8Array): string => {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (error) {
    throw new YamlError(`the input is not ${name} text`, undefined, { cause: error });
  }
};

const parse = (
  text: string,
  lineCounter: LineCounter,
  tokensMax: number,
): readonly Document.Parsed[] => {
  const documents = bounded(lineCounter, tokensMax, () =>
    parseDocuments(
      text,
      lineCounter,
      { depthMax: STACK_MAX, tokensMax },
      {
        version: '1.1',
        // Plain words are resolved here and not by the library: its YAML 1.1 has more to it.
        schema: 'failsafe',
        uniqueKeys: false,
      },
    ),
  );
  for (const { errors } of documents) {
    const error = errors[0];
    if (error === undefined) continue;
    throw new YamlError(error.message, lineCounter.linePos(error.pos[0]).line, { cause: error });
  }
  return documents;
};

const bounded = <T>(lines: LineCounter, tokensMax: number, act: () => T): T => {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof ParserLimitError)) throw error;
    const message =
      error.limit === 'depth' ? TOO_DEEP : `the input has more than ${tokensMax} words and marks`;
    throw overLimit(message, lines.linePos(error.offset).line, { cause: error });
  }
};

const lineOf = (lines: LineCounter, node: Node): number => lines.linePos(node.range?.[0] ?? 0).line;

interface Converted {
  readonly value: unknown;
  /** How many values this one stands for, aliases followed. */
  readonly size: number;
}

const JOIN = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`);

class Converter {
  readonly duplicates: DuplicateKey[] = [];
  private readonly anchors = new Map<string, Converted | undefined>();
  private total = 0;

  constructor(
    private readonly lines: LineCounter,
    private readonly nodesMax: number,
  ) {}

  convert(node: Node, path: string, depth: number): Converted {
    if (depth > DEPTH_MAX) throw overLimit(TOO_DEEP, lineOf(this.lines, node));
    if (isAlias(node)) return this.resolve(node);
    const { anchor } = node as { anchor?: string };
    // Known but not yet whole: an alias to it from inside would never end.
    if (anchor !== undefined) this.anchors.set(anchor, undefined);
    const converted = this.convertContent(node, path, depth);
    this.count(1, node);
    if (anchor !== undefined) this.anchors.set(anchor, converted);
    return converted;
  }

  private convertContent(node: Node, path: string, depth: number): Converted {
    if (isMap(node)) return this.convertMap(node, path, depth);
    if (isSeq(node)) {
      const items = node.items.map((item, i) =>
        this.convert(item as Node, `${path}[${i}]`, depth + 1),
      );
      return { value: items.map(({ value }) => value), size: sizeOf(items) };
    }
    return { value: isScalar(node) ? scalarOf(node) : null, size: 1 };
  }

  private convertMap(node: YAMLMap, path: string, depth: number): Converted {
    const own = new Map<string, { readonly converted: Converted; readonly line: number }>();
    const merged: Converted[] = [];
    for (const pair of node.items as Pair<Node, Node | null>[]) {
      const line = lineOf(this.lines, pair.key);
      if (isMergeKey(pair.key)) {
        if (pair.value !== null) merged.push(...this.mergeSources(pair.value, path, depth));
        continue;
      }
      const key = this.keyOf(pair.key);
      const at = JOIN(path, key);
      const converted = pair.value === null ? NOTHING : this.convert(pair.value, at, depth + 1);
      const first = own.get(key);
      if (first !== undefined) {
        this.duplicates.push({ path: at, firstLine: first.line, secondLine: line });
      }
      own.set(key, { converted, line });
    }
    // The mapping's own keys win, then the earlier of the merged ones.
    const entries = new Map<string, unknown>();
    for (const { value } of merged.reverse()) {
      for (const [key, item] of Object.entries(value as object)) entries.set(key, item as unknown);
    }
    for (const [key, { converted }] of own) entries.set(key, converted.value);
    const sizes = [...merged, ...[...own.values()].map(({ converted }) => converted)];
    return { value: Object.fromEntries(entries), size: sizeOf(sizes) };
  }

  private mergeSources(node: Node, path: string, depth: number): readonly Converted[] {
    const sources = isSeq(node)
      ? node.items.map((item) => this.convert(item as Node, path, depth + 1))
      : [this.convert(node, path, depth + 1)];
    if (sources.every(({ value }) => isMapping(value))) return sources;
    throw new YamlError(
      'map merge requires map or sequence of maps as the value',
      lineOf(this.lines, node),
    );
  }

  private keyOf(node: Node): string {
    const key = isScalar(node) ? scalarOf(node) : isAlias(node) ? this.resolve(node).value : {};
    if (typeof key === 'object' && key !== null) {
      throw new YamlError('a key must be a single word', lineOf(this.lines, node));
    }
    return String(key);
  }

  private resolve(node: Alias): Converted {
    const line = lineOf(this.lines, node);
    if (!this.anchors.has(node.source)) {
      throw new YamlError(`unknown anchor '${node.source}' referenced`, line);
    }
    const target = this.anchors.get(node.source);
    if (target === undefined) {
      throw new YamlError(`anchor '${node.source}' value contains itself`, line);
    }
    this.count(target.size, node);
    return target;
  }

  private count(size: number, node: Node): void {
    this.total += size;
    if (this.total <= this.nodesMax) return;
    throw overLimit(
      `the aliases of the document stand for more than ${this.nodesMax} values`,
      lineOf(this.lines, node),
    );
  }
}

const NOTHING: Converted = { value: null, size: 1 };

const sizeOf = (parts: readonly Converted[]): number =>
  parts.reduce((sum, { size }) => sum + size, 1);

const isMapping = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isPlain = (node: Scalar): boolean => node.type === Scalar.PLAIN || node.type === undefined;

const isMergeKey = (node: Node): boolean => isScalar(node) && isPlain(node) && node.source === '<<';

/** The library was asked for text only, so that `value` of a scalar is what was written. */
const scalarOf = (node: Scalar): unknown => {
  const text = typeof node.value === 'string' ? node.value : '';
  const { tag } = node;
  if (tag === 'tag:yaml.org,2002:str' || tag === '!!str') return text;
  return isPlain(node) || tag === 'tag:yaml.org,2002:int' ? resolveScalar(text) : text;
};

// ---- Positions

const positionIn = (lines: LineCounter, root: Node, path: string): Position => {
  const anchors = anchorsIn(root);
  let node: Node | undefined = root;
  let offset = root.range?.[0] ?? 0;
  for (const step of path.match(/[^.[\]]+|\[\d+\]/g) ?? []) {
    const next = child(node, step, anchors);
    if (next === undefined) break;
    ({ node, offset } = next);
  }
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
};

const child = (
  node: Node | undefined,
  step: string,
  anchors: ReadonlyMap<string, Node>,
): { node: Node | undefined; offset: number } | undefined => {
  const target = isAlias(node) ? anchors.get(node.source) : node;
  if (isSeq(target)) {
    const item = target.items[Number(step.replace(/[[\]]/g, ''))] as Node | undefined;
    return item && { node: item, offset: item.range?.[0] ?? 0 };
  }
  if (!isMap(target)) return undefined;
  const pairs = target.items as Pair<Node, Node | null>[];
  // A key given twice means the last one.
  const pair = pairs.findLast(({ key }) => isScalar(key) && String(key.value) === step);
  if (pair !== undefined)
    return { node: pair.value ?? undefined, offset: pair.key.range?.[0] ?? 0 };
  const sources = pairs.filter(({ key }) => isMergeKey(key)).map(({ value }) => value ?? undefined);
  for (const source of sources) {
    const found = child(source, step, anchors);
    if (found !== undefined) return found;
  }
  return undefined;
};

const anchorsIn = (root: Node): ReadonlyMap<string, Node> => {
  const anchors = new Map<string, Node>();
  const pending: unknown[] = [root];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    const { anchor } = node as { anchor?: string };
    if (anchor !== undefined) anchors.set(anchor, node as Node);
    if (isSeq(node)) pending.push(...node.items);
    if (isMap(node)) pending.push(...node.items.flatMap(({ key, value }) => [key, value]));
    while (pending.length > 0 && (pending.at(-1) ?? null) === null) pending.pop();
  }
  return anchors;
};
