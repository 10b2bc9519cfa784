import { createHash } from 'node:crypto';
import { stringifyJson } from '../../../lib/json';
import { acceptClauses, takes, type AcceptClause } from '../http/accept';
import { JSON_TYPE, jsonResponse, type ApiRequest, type ApiResponse } from '../http/exchange';
import { notAcceptable } from '../rest/negotiation';
import type { Discovery } from './discovery';

/**
 * Answers /api, /apis and what lies between them and the resources; undefined for other paths.
 * @throws NotAcceptable
 */
export const serveDiscovery = (
  discovery: Discovery,
  { method, path, headers }: ApiRequest,
): ApiResponse | undefined => {
  const [root = '', first = '', second = '', ...more] = path.replace(/\/$/, '').split('/').slice(1);
  if (method !== 'GET' || more.length > 0 || (root !== 'api' && root !== 'apis')) return undefined;
  const form = formOf(headers['accept']);
  if (first === '') {
    if (form === 'aggregated') return tagged(discovery.aggregated(root), headers['if-none-match']);
    return jsonResponse(root === 'api' ? discovery.coreVersions() : discovery.groupList());
  }
  if (root === 'api') return second === '' ? found(discovery.resourceList('', first)) : undefined;
  return found(
    second === '' ? discovery.groupDocument(first) : discovery.resourceList(first, second),
  );
};

/** Clients keep it until it is another. */
const tagged = (document: object, known: string | undefined): ApiResponse => {
  const body = stringifyJson(document);
  const etag = `"${createHash('sha512').update(body).digest('hex').toUpperCase()}"`;
  const headers = { etag, vary: 'Accept', 'cache-control': 'public' };
  if (known === etag) return { status: 304, headers };
  return { status: 200, headers: { 'content-type': AGGREGATED_TYPE, ...headers }, body };
};

const found = (document: unknown): ApiResponse | undefined =>
  document === undefined ? undefined : jsonResponse(document);

/** One list for all, or each document by itself: what the client likes best. */
const formOf = (accept: string | undefined): 'aggregated' | 'plain' => {
  for (const clause of acceptClauses(accept)) {
    if (!takes(clause, JSON_TYPE)) continue;
    if (!clause.parameters.has('as')) return 'plain';
    if (isAggregated(clause)) return 'aggregated';
  }
  throw notAcceptable();
};

const isAggregated = ({ parameters }: AcceptClause): boolean =>
  parameters.get('as') === 'APIGroupDiscoveryList' &&
  parameters.get('g') === 'apidiscovery.k8s.io' &&
  parameters.get('v') === 'v2';

const AGGREGATED_TYPE = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
