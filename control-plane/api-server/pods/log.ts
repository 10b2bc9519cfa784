import { ApiError } from '../../../api/errors';
import type { ObjectName } from '../../../api/types';
import type { LogsRequest, NodeConnections } from '../../../client/node-connections';
import type { Clock } from '../../../lib/clock';
import type { ApiRequest, ApiResponse } from '../http/exchange';
import type { ServedKind } from '../kinds/served-kind';
import type { ObjectService } from '../objects/object-service';
import { isTrue, parseCount } from '../rest/options';
import { placementOf } from './target';

/** GET pods/NAME/log: the bytes of the log, as they come. @throws ApiError before the first byte */
export const podLog = async (
  service: ObjectService,
  nodes: NodeConnections,
  pods: ServedKind,
  name: ObjectName,
  { query, signal }: ApiRequest,
): Promise<ApiResponse> => {
  const options = logOptions(query);
  const container = query.get('container') ?? '';
  const { nodeName, target } = await placementOf(service, pods, name, container, signal);
  const lines = nodes.logs(nodeName, { ...target, ...options }, signal)[Symbol.asyncIterator]();
  // The first chunk is awaited here, so that a refusal is still an answer with a status.
  const first = await firstOf(lines, options.follow, service.clock);
  return {
    status: 200,
    headers: { 'content-type': 'text/plain' },
    body: resumed(first, lines),
  };
};

type First = IteratorResult<Uint8Array, unknown> | Promise<IteratorResult<Uint8Array, unknown>>;

/** A followed log may stay silent for long: then the answer starts without its first bytes. */
const firstOf = async (
  lines: AsyncIterator<Uint8Array, unknown>,
  isFollowed: boolean,
  clock: Clock,
): Promise<{ readonly result: First }> => {
  const result = lines.next();
  if (!isFollowed) return { result: await result };
  const over = new AbortController();
  const silence = clock.sleep(SILENCE_MS, over.signal).then(() => 'silent' as const);
  try {
    const won = await Promise.race([result, silence]);
    return { result: won === 'silent' ? result : won };
  } finally {
    over.abort();
  }
};

async function* resumed(
  { result }: { readonly result: First },
  lines: AsyncIterator<Uint8Array, unknown>,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for (let next = await result; next.done !== true; next = await lines.next()) yield next.value;
  } finally {
    await lines.return?.();
  }
}

const logOptions = (query: URLSearchParams) => {
  const tailLines = parseCount(query, 'tailLines');
  const sinceSeconds = parseCount(query, 'sinceSeconds');
  const limitBytes = parseCount(query, 'limitBytes');
  const sinceTime = query.get('sinceTime') ?? '';
  const hasSinceTime = sinceTime !== '';
  if (hasSinceTime && Number.isNaN(Date.parse(sinceTime)))
    throw new ApiError('BadRequest', `sinceTime: Invalid value: ${JSON.stringify(sinceTime)}`);
  if (hasSinceTime && sinceSeconds !== undefined)
    throw new ApiError(
      'BadRequest',
      'at most one of `sinceTime` or `sinceSeconds` may be specified',
    );
  if (limitBytes === 0) throw new ApiError('BadRequest', 'limitBytes: must be greater than 0');
  return {
    follow: isTrue(query, 'follow'),
    previous: isTrue(query, 'previous'),
    timestamps: isTrue(query, 'timestamps'),
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(sinceSeconds === undefined ? {} : { sinceSeconds }),
    ...(hasSinceTime ? { sinceTime } : {}),
    ...(limitBytes === undefined ? {} : { limitBytes }),
  } satisfies Partial<LogsRequest>;
};

const SILENCE_MS = 250;
