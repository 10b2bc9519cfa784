import { apiVersionOf } from '../../../api/resources';
import type { ApiObject } from '../../../api/types';
import { stringifyJson } from '../../../lib/json';
import { JSON_TYPE, jsonResponse, rawResponse, type ApiResponse } from '../http/exchange';
import type { ServedKind } from '../kinds/served-kind';
import type { Item } from '../objects/item';
import type { ListPage } from '../objects/object-reader';
import { partialMetadata, tableOf, type IncludeObject } from '../printing/table';
import type { Representation } from './negotiation';

/** What a response needs to know besides its objects. */
export interface View {
  readonly kind: ServedKind;
  readonly representation: Representation;
  readonly includeObject: IncludeObject;
  readonly nowMs: number;
}

export const itemResponse = (
  { kind, representation, includeObject, nowMs }: View,
  item: Item,
  status = 200,
  headers: ApiResponse['headers'] = {},
): ApiResponse => {
  switch (representation) {
    case 'object':
      // Its object is parsed when somebody looks at it.
      return rawResponse(item.raw, status, headers);
    case 'metadata':
      return jsonResponse(partialMetadata(item.object), status, headers);
    case 'table': {
      const { object } = item;
      const { resourceVersion = '' } = object.metadata;
      const table = tableOf(kind, [object], { resourceVersion }, includeObject, nowMs);
      return jsonResponse(table, status, headers);
    }
  }
};

export const listResponse = (view: View, page: ListPage): ApiResponse => {
  const metadata = {
    resourceVersion: String(page.resourceVersion),
    ...(page.continue === undefined ? {} : { continue: page.continue }),
    ...(page.remaining === undefined ? {} : { remainingItemCount: page.remaining }),
  };
  const { kind, representation, includeObject, nowMs } = view;
  switch (representation) {
    case 'object':
      return {
        status: 200,
        headers: { 'content-type': JSON_TYPE },
        body: encodeList(kind, metadata, page.items),
        isDocument: true,
      };
    case 'metadata': {
      const head = { kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1', metadata };
      return membersResponse(head, 'items', page.items, (objects) => objects.map(partialMetadata));
    }
    case 'table': {
      const { rows: _none, ...head } = tableOf(kind, [], metadata, includeObject, nowMs);
      const rowsOf = (objects: readonly ApiObject[]) =>
        tableOf(kind, objects, metadata, includeObject, nowMs).rows;
      return membersResponse(head, 'rows', page.items, rowsOf);
    }
  }
};

/** `head` with a list made of the items: of many in pieces, for each is parsed, made and written. */
const membersResponse = (
  head: object,
  field: string,
  items: readonly Item[],
  membersOf: (objects: readonly ApiObject[]) => readonly object[],
): ApiResponse => {
  if (items.length <= WHOLE_COUNT_MAX)
    return jsonResponse({ ...head, [field]: membersOf(items.map(({ object }) => object)) });
  const body = memberPieces(head, field, items, membersOf);
  return { status: 200, headers: { 'content-type': JSON_TYPE }, body, isDocument: true };
};

async function* memberPieces(
  head: object,
  field: string,
  items: readonly Item[],
  membersOf: (objects: readonly ApiObject[]) => readonly object[],
): AsyncGenerator<Uint8Array> {
  yield Buffer.from(`${stringifyJson(head).slice(0, -1)},"${field}":[`);
  for (let from = 0; from < items.length; from += PIECE_COUNT) {
    const objects = items.slice(from, from + PIECE_COUNT).map(({ object }) => object);
    const members = stringifyJson(membersOf(objects)).slice(1, -1);
    yield Buffer.from(from === 0 ? members : `,${members}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
  yield TAIL;
}

/**
 * A list joined from the items' own bytes: nothing is parsed or written again. A large one goes out
 * piece by piece as its reader takes it, so that it costs neither a copy nor one long write.
 */
const encodeList = (
  kind: ServedKind,
  metadata: Readonly<Record<string, unknown>>,
  items: readonly Item[],
): Uint8Array | AsyncIterable<Uint8Array> => {
  const parts = listParts(kind, metadata, items);
  const bytes = parts.reduce((sum, { length }) => sum + length, 0);
  return bytes <= WHOLE_BYTES_MAX ? Buffer.concat(parts, bytes) : inPieces(parts);
};

async function* inPieces(parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  let piece: Uint8Array[] = [];
  let bytes = 0;
  for (const part of parts) {
    piece.push(part);
    bytes += part.length;
    if (bytes < PIECE_BYTES) continue;
    yield Buffer.concat(piece, bytes);
    await new Promise((resolve) => setImmediate(resolve));
    [piece, bytes] = [[], 0];
  }
  if (bytes > 0) yield Buffer.concat(piece, bytes);
}

const listParts = (
  { resource }: ServedKind,
  metadata: Readonly<Record<string, unknown>>,
  items: readonly Item[],
): readonly Uint8Array[] => {
  const head =
    `{"kind":"${resource.listKind ?? `${resource.kind}List`}","apiVersion":"${apiVersionOf(resource)}",` +
    `"metadata":${stringifyJson(metadata)},"items":[`;
  const parts: Uint8Array[] = [Buffer.from(head)];
  for (const [index, { raw }] of items.entries()) {
    if (index > 0) parts.push(COMMA);
    parts.push(raw);
  }
  parts.push(TAIL);
  return parts;
};

const WHOLE_COUNT_MAX = 500;
const PIECE_COUNT = 100;
const WHOLE_BYTES_MAX = 512 * 1024;
const PIECE_BYTES = 128 * 1024;
const COMMA = Buffer.from(',');
const TAIL = Buffer.from(']}\n');
