import { jsonResponse, type ApiRequest, type ApiResponse } from '../http/exchange';
import type { Discovery } from './discovery';

/** Answers /api, /apis and what lies between them and the resources; undefined for other paths. */
export const serveDiscovery = (
  discovery: Discovery,
  { path, headers }: ApiRequest,
): ApiResponse | undefined => {
  const [root = '', first = '', second = '', ...more] = path.replace(/\/$/, '').split('/').slice(1);
  if (more.length > 0 || (root !== 'api' && root !== 'apis')) return undefined;
  if (first === '') {
    const wanted = AGGREGATED.exec(headers['accept'] ?? '');
    if (wanted !== null)
      return jsonResponse(discovery.aggregated(root), 200, { 'content-type': AGGREGATED_TYPE });
    return jsonResponse(root === 'api' ? discovery.coreVersions() : discovery.groupList());
  }
  if (root === 'api') return second === '' ? found(discovery.resourceList('', first)) : undefined;
  return found(
    second === '' ? discovery.groupDocument(first) : discovery.resourceList(first, second),
  );
};

const found = (document: unknown): ApiResponse | undefined =>
  document === undefined ? undefined : jsonResponse(document);

const AGGREGATED = /application\/json;g=apidiscovery\.k8s\.io;v=v2;as=APIGroupDiscoveryList/;
const AGGREGATED_TYPE = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
