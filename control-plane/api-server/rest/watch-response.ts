import { apiVersionOf } from '../../../api/resources';
import { stringifyJson } from '../../../lib/json';
import { JSON_TYPE, toApiError, type ApiResponse } from '../http/exchange';
import type { Item } from '../objects/item';
import type { WatchItem } from '../objects/object-watcher';
import { META_VERSION, partialMetadata, tableOf } from '../printing/table';
import type { View } from './read-responses';

type NowMs = () => number;

/**
 * A stream of watch events, one JSON document a line. What goes wrong after the start is told by an
 * ERROR event, as clients expect.
 */
export const watchResponse = (
  view: Omit<View, 'nowMs'>,
  batches: AsyncIterable<readonly WatchItem[]>,
  nowMs: NowMs,
): ApiResponse => ({
  status: 200,
  headers: { 'content-type': JSON_TYPE },
  body: frames(view, batches, nowMs),
  isBatched: true,
});

async function* frames(
  view: Omit<View, 'nowMs'>,
  batches: AsyncIterable<readonly WatchItem[]>,
  nowMs: NowMs,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const items of batches) yield batchFrame({ ...view, nowMs: nowMs() }, items);
  } catch (error) {
    const status = toApiError(error).toStatus();
    yield Buffer.from(stringifyJson({ type: 'ERROR', object: status }) + '\n');
  }
}

/** Watchers that got the same batch, and see it the same way, get the same bytes. */
const batchFrame = (view: View, items: readonly WatchItem[]): Uint8Array => {
  const key = frameKey(view, '');
  let known = batchesOf.get(items);
  if (known === undefined) batchesOf.set(items, (known = new Map<string, Uint8Array>()));
  let bytes = known.get(key);
  if (bytes === undefined) known.set(key, (bytes = joinedFrames(view, items)));
  return bytes;
};

const joinedFrames = (view: View, items: readonly WatchItem[]): Uint8Array => {
  const frames = items.map((item) =>
    item.type === 'BOOKMARK' ? bookmarkFrame(view, item) : eventFrame(view, item.type, item.item),
  );
  const [only] = frames;
  return frames.length === 1 && only !== undefined ? only : Buffer.concat(frames);
};

/** Every watcher of an object with the same view gets the same bytes. */
const eventFrame = (view: View, type: string, item: Item): Uint8Array => {
  const key = frameKey(view, type);
  const known = framesOf.get(item)?.get(key);
  if (known !== undefined) return known;
  const frame = encodeFrame(view, type, item);
  keepFrame(item, key, frame);
  return frame;
};

/** Watchers take an event within moments of each other: what is older is worth no memory. */
const keepFrame = (item: Item, key: string, frame: Uint8Array): void => {
  let frames = framesOf.get(item);
  if (frames === undefined) framesOf.set(item, (frames = new Map<string, Uint8Array>()));
  frames.set(key, frame);
  keptBytes += frame.length;
  while (keptBytes > FRAME_BYTES_MAX && framesOf.size > 1) {
    const [oldest, dropped] = framesOf.entries().next().value ?? [item, frames];
    framesOf.delete(oldest);
    for (const { length } of dropped.values()) keptBytes -= length;
  }
};

const frameKey = (view: View, type: string): string => {
  const { kind, representation, includeObject, nowMs } = view;
  const seen = `${type} ${kind.resource.version} ${representation}`;
  return representation === 'table' ? `${seen} ${includeObject} ${Math.floor(nowMs / 1000)}` : seen;
};

const encodeFrame = (view: View, type: string, { object, raw }: Item): Uint8Array => {
  const { kind, representation, includeObject, nowMs } = view;
  const head = `{"type":"${type}","object":`;
  if (representation === 'object') return Buffer.concat([Buffer.from(head), raw, TAIL]);
  const { resourceVersion = '' } = object.metadata;
  const seen =
    representation === 'table'
      ? tableOf(kind, [object], { resourceVersion }, includeObject, nowMs)
      : partialMetadata(object);
  return Buffer.from(`${head}${stringifyJson(seen)}}\n`);
};

const bookmarkFrame = (
  { kind, representation }: Omit<View, 'nowMs'>,
  { version, endsInitialEvents }: Extract<WatchItem, { type: 'BOOKMARK' }>,
): Uint8Array => {
  const metadata = {
    resourceVersion: String(version),
    creationTimestamp: null,
    ...(endsInitialEvents ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}),
  };
  const { resource } = kind;
  const type =
    representation === 'metadata'
      ? { kind: 'PartialObjectMetadata', apiVersion: META_VERSION }
      : { kind: resource.kind, apiVersion: apiVersionOf(resource) };
  const mark = { ...type, metadata };
  const object = representation === 'table' ? bookmarkTable(kind, mark) : mark;
  return Buffer.from(stringifyJson({ type: 'BOOKMARK', object }) + '\n');
};

/** A table whose one row carries the bookmark: its cells are empty. */
const bookmarkTable = (
  kind: View['kind'],
  mark: { readonly metadata: { readonly resourceVersion: string } },
) => ({
  ...tableOf(kind, [], { resourceVersion: mark.metadata.resourceVersion }, 'None', 0),
  rows: [{ cells: kind.printer.columns.map(() => ''), object: mark }],
});

/** The newest frames of all watches, in order of their items. */
const framesOf = new Map<Item, Map<string, Uint8Array>>();
let keptBytes = 0;
const batchesOf = new WeakMap<readonly WatchItem[], Map<string, Uint8Array>>();
const TAIL = Buffer.from('}\n');
const FRAME_BYTES_MAX = 8 * 1024 * 1024;
