import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { BlobStore } from './blob-store';
import type { Catalog, ManifestEntry } from './catalog';
import { badDigest, RegistryError, unknownBlob, unknownManifest } from './errors';
import { MAX_MANIFEST_BYTES } from './garbage';
import { checkDigest, fullName, isDigest, isTag } from './names';

interface Parts {
  readonly blobs: BlobStore;
  readonly catalog: Catalog;
}

/** One request, taken apart. */
interface Call extends Parts {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly method: string;
  /** As the client wrote it, for Location headers. */
  readonly path: string;
  /** With its registry. */
  readonly name: string;
  readonly query: URLSearchParams;
  readonly url: URL;
}

/** Answers one request under /v2/. @throws RegistryError. Source: OCI distribution-spec 1.1, "API". */
export const route = async (
  parts: Parts,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> => {
  // Joined, not resolved: what begins with two slashes or a scheme would name another host.
  const url = new URL(`http://registry${(request.url ?? '/').replace(/^\/*/, '/')}`);
  if (!url.pathname.startsWith('/v2/'))
    throw new RegistryError(404, 'NAME_UNKNOWN', 'no such path');
  const path = decodeURIComponent(url.pathname.slice('/v2/'.length));
  response.setHeader('docker-distribution-api-version', 'registry/2.0');
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  if (path === '' && isRead) {
    json(response, 200, {});
    return;
  }
  if (path === '_catalog' && isRead) {
    sendPage(response, url, 'repositories', await parts.catalog.names(), {});
    return;
  }
  const match = /^(.+)\/(tags\/list|manifests\/[^/]+|blobs\/uploads\/[^/]*|blobs\/[^/]+)$/.exec(
    path,
  );
  const [, repository = '', rest = ''] = match ?? [];
  if (match === null) throw new RegistryError(404, 'NAME_UNKNOWN', 'no such path');
  const call: Call = {
    ...parts,
    request,
    response,
    method: request.method ?? 'GET',
    path: repository,
    name: fullName(repository, url.searchParams.get('ns')),
    query: url.searchParams,
    url,
  };
  if (rest === 'tags/list') return listTags(call);
  if (rest.startsWith('manifests/')) return manifests(call, rest.slice('manifests/'.length));
  if (rest.startsWith('blobs/uploads/')) return uploads(call, rest.slice('blobs/uploads/'.length));
  return blob(call, rest.slice('blobs/'.length));
};

const notAllowed = ({ method }: Call): RegistryError =>
  new RegistryError(405, 'UNSUPPORTED', `${method} is not for this path`);

const json = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
};

const listTags = async ({ response, catalog, name, url }: Call): Promise<void> => {
  const tags = await catalog.tags(name);
  if (tags === undefined) throw new RegistryError(404, 'NAME_UNKNOWN', `nothing is at ${name}`);
  sendPage(response, url, 'tags', tags, { name });
};

/** All of the sorted `names`, or the page that `n` and `last` ask for, with a link to the next. */
const sendPage = (
  response: ServerResponse,
  url: URL,
  key: string,
  names: readonly string[],
  more: object,
): void => {
  const [count, last] = [url.searchParams.get('n'), url.searchParams.get('last')];
  if (count !== null && !/^[0-9]{1,9}$/.test(count)) {
    throw new RegistryError(400, 'UNSUPPORTED', 'n is not a number');
  }
  const rest = last === null ? names : names.filter((name) => name > last);
  const page = count === null ? rest : rest.slice(0, Number(count));
  const end = page.at(-1);
  if (end !== undefined && page.length < rest.length) {
    const next = new URLSearchParams(url.searchParams);
    next.set('last', end);
    response.setHeader('link', `<${url.pathname}?${next.toString()}>; rel="next"`);
  }
  json(response, 200, { ...more, [key]: page });
};

const manifests = async (call: Call, reference: string): Promise<void> => {
  if (!isDigest(reference) && !isTag(reference)) {
    throw new RegistryError(400, 'TAG_INVALID', `"${reference}" is neither a tag nor a digest`);
  }
  switch (call.method) {
    case 'GET':
    case 'HEAD':
      return readManifest(call, reference);
    case 'PUT':
      return putManifest(call, reference);
    case 'DELETE':
      return deleteManifest(call, reference);
    default:
      throw notAllowed(call);
  }
};

const readManifest = async (call: Call, reference: string): Promise<void> => {
  const { catalog, blobs, name, response } = call;
  const entry = isDigest(reference)
    ? await catalog.byDigest(name, reference)
    : await catalog.byTag(name, reference);
  const size = entry && (await blobs.sizeOf(entry.digest));
  if (entry === undefined || size === undefined) throw unknownManifest(name, reference);
  response.writeHead(200, {
    'content-type': entry.mediaType,
    'content-length': size,
    'docker-content-digest': entry.digest,
  });
  if (call.method === 'HEAD') response.end();
  else await pipeline(blobs.read(entry.digest), response);
};

const putManifest = async (call: Call, reference: string): Promise<void> => {
  const { request, blobs, catalog, name, path, response } = call;
  const content = await readBody(request);
  const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
  if (isDigest(reference) && reference !== digest) throw badDigest(reference, digest);
  const mediaType = request.headers['content-type'] ?? OCI_MANIFEST;
  if (!MANIFEST_TYPES.has(mediaType)) {
    throw new RegistryError(415, 'MANIFEST_INVALID', 'the Content-Type is not of a manifest');
  }
  await checkParts(blobs, content);
  await blobs.put(digest, content);
  const entry: ManifestEntry = { digest, mediaType };
  await catalog.put(name, entry, isDigest(reference) ? undefined : reference);
  response.writeHead(201, {
    location: `/v2/${path}/manifests/${digest}`,
    'docker-content-digest': digest,
  });
  response.end();
};

/** A manifest is taken only when all that it names is here: a pull must not find half an image. */
const checkParts = async (blobs: BlobStore, content: Buffer): Promise<void> => {
  for (const digest of digestsOf(parseManifest(content))) {
    if ((await blobs.sizeOf(digest)) === undefined) {
      throw new RegistryError(
        404,
        'MANIFEST_BLOB_UNKNOWN',
        `blob ${digest} is not here: push it first`,
      );
    }
  }
};

/** What a manifest or an index names, each once. @throws RegistryError MANIFEST_INVALID, DIGEST_INVALID */
const digestsOf = ({ schemaVersion, config, layers, manifests }: Manifest): ReadonlySet<string> => {
  if (schemaVersion !== 2) throw invalidManifest('schemaVersion is not 2');
  const parts = [
    ...(config === undefined || config === null ? [] : [config]),
    ...listOf('layers', layers),
    ...listOf('manifests', manifests),
  ];
  return new Set(parts.map(digestOf));
};

const digestOf = (part: unknown): string => {
  if (typeof part !== 'object' || part === null || !('digest' in part))
    throw invalidManifest('a part of the manifest has no digest');
  return checkDigest(typeof part.digest === 'string' ? part.digest : null);
};

/** Absent and null are none, as in Go. */
const listOf = (field: string, value: unknown): readonly unknown[] => {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value as readonly unknown[];
  throw invalidManifest(`${field} is not a list`);
};

interface Manifest {
  readonly schemaVersion?: unknown;
  readonly config?: unknown;
  readonly layers?: unknown;
  readonly manifests?: unknown;
}

const parseManifest = (content: Buffer): Manifest => {
  try {
    const parsed: unknown = JSON.parse(content.toString());
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed;
  } catch {
    // Told below, as for JSON that is no manifest.
  }
  throw invalidManifest('the manifest is not a JSON object');
};

const invalidManifest = (why: string): RegistryError =>
  new RegistryError(400, 'MANIFEST_INVALID', why);

const deleteManifest = async (call: Call, reference: string): Promise<void> => {
  const wasThere = await call.catalog.delete(call.name, reference, !isDigest(reference));
  if (!wasThere) throw unknownManifest(call.name, reference);
  call.response.writeHead(202).end();
};

const blob = async (call: Call, reference: string): Promise<void> => {
  const { blobs, response, request, method } = call;
  const digest = checkDigest(reference);
  if (method !== 'GET' && method !== 'HEAD') throw notAllowed(call);
  const size = await blobs.sizeOf(digest);
  if (size === undefined) throw unknownBlob(digest);
  const headers = {
    'content-type': 'application/octet-stream',
    'docker-content-digest': digest,
    'accept-ranges': 'bytes',
  };
  const range = rangeOf(request.headers.range, size);
  const [start, end] = range ?? [0, size - 1];
  response.writeHead(range === undefined ? 200 : 206, {
    ...headers,
    'content-length': end - start + 1,
    ...(range === undefined ? {} : { 'content-range': `bytes ${start}-${end}/${size}` }),
  });
  if (method === 'HEAD' || size === 0) response.end();
  else await pipeline(blobs.read(digest, start, end), response);
};

/** `bytes=START-[END]`. @throws RegistryError 416 */
const rangeOf = (header: string | undefined, size: number): [number, number] | undefined => {
  const match = /^bytes=(\d+)-(\d*)$/.exec(header ?? '');
  if (match === null) return undefined;
  const start = Number(match[1]);
  const end = match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1);
  if (start < size && start <= end) return [start, end];
  throw new RegistryError(416, 'SIZE_INVALID', `the blob has ${size} bytes`);
};

const uploads = async (call: Call, id: string): Promise<void> => {
  switch (call.method) {
    case 'POST':
      return startUpload(call);
    case 'PATCH':
      return continueUpload(call, id);
    case 'PUT':
      return finishUpload(call, id);
    case 'GET':
      call.blobs.progressOf(id);
      {
        acknowledge(call, id, 204);
        return;
      }
    case 'DELETE':
      await call.blobs.cancel(id);
      call.response.writeHead(204).end();
      return;
    default:
      throw notAllowed(call);
  }
};

const startUpload = async (call: Call): Promise<void> => {
  const digest = call.query.get('digest');
  const mount = call.query.get('mount');
  // Content is shared by all repositories: a mount of what is here is done already.
  if (mount !== null && isDigest(mount) && (await call.blobs.sizeOf(mount)) !== undefined) {
    created(call, mount);
    return;
  }
  const wanted = digest === null ? null : checkDigest(digest);
  const id = await call.blobs.startUpload();
  if (wanted === null) {
    acknowledge(call, id, 202);
    return;
  }
  await call.blobs.append(id, bodyOf(call.request));
  await call.blobs.finish(id, wanted);
  created(call, wanted);
};

const continueUpload = async (call: Call, id: string): Promise<void> => {
  const start = /^(\d+)-\d+$/.exec(call.request.headers['content-range'] ?? '')?.[1];
  await call.blobs.append(
    id,
    bodyOf(call.request),
    start === undefined ? undefined : Number(start),
  );
  acknowledge(call, id, 202);
};

const finishUpload = async (call: Call, id: string): Promise<void> => {
  const digest = checkDigest(call.query.get('digest'));
  await call.blobs.append(id, bodyOf(call.request));
  await call.blobs.finish(id, digest);
  created(call, digest);
};

const acknowledge = ({ blobs, response, path, query }: Call, id: string, status: number): void => {
  const ns = query.get('ns');
  const suffix = ns === null ? '' : `?ns=${encodeURIComponent(ns)}`;
  response.writeHead(status, {
    location: `/v2/${path}/blobs/uploads/${id}${suffix}`,
    'docker-upload-uuid': id,
    range: `0-${Math.max(0, blobs.progressOf(id) - 1)}`,
    'content-length': 0,
  });
  response.end();
};

const created = ({ response, path }: Call, digest: string): void => {
  response.writeHead(201, {
    location: `/v2/${path}/blobs/${digest}`,
    'docker-content-digest': digest,
    'content-length': 0,
  });
  response.end();
};

/** Left half read, the connection stays for the answer. */
const bodyOf = (request: IncomingMessage): AsyncIterable<Buffer> =>
  request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;

const readBody = async (request: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of bodyOf(request)) {
    sizeBytes += chunk.length;
    if (sizeBytes > MAX_MANIFEST_BYTES) {
      throw new RegistryError(413, 'SIZE_INVALID', 'a manifest has at most 4 MiB');
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
};

const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const MANIFEST_TYPES = new Set([
  OCI_MANIFEST,
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
]);
