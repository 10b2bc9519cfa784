import type { ApiRequest } from './exchange';
import { parseResourcePath } from './request-target';

/**
 * The old way to watch, `/api/v1/watch/namespaces/NS/pods/NAME`, as upstream still serves it, in the form that
 * everything here goes by: a list with `watch=true`, of one name where there is one. Others stay as they are.
 */
export const watchInQuery = (request: ApiRequest): ApiRequest => {
  const [, root, rest] = WATCH_PATH.exec(request.path) ?? [];
  if (request.method !== 'GET' || root === undefined) return request;
  const path = `${root}/${rest}`;
  const target = parseResourcePath(path);
  if (target === undefined || target.subresource !== '') return request;
  const query = new URLSearchParams(request.query);
  query.set('watch', 'true');
  if (target.name === '') return { ...request, path, query };
  if (!PLAIN_NAME.test(target.name)) return request;
  const given = query.get('fieldSelector') ?? '';
  query.set('fieldSelector', `${given === '' ? '' : `${given},`}metadata.name=${target.name}`);
  return { ...request, path: path.slice(0, path.lastIndexOf('/')), query };
};

const WATCH_PATH = /^(\/api\/[^/]+|\/apis\/[^/]+\/[^/]+)\/watch\/(.*[^/])\/?$/s;
/** Nothing in it that a selector would read otherwise. */
const PLAIN_NAME = /^[\w.:-]+$/;
