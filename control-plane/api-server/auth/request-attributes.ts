import { parseFieldSelector } from '../../../api/field-selectors';
import { SelectorError } from '../../../api/selectors';
import type { ApiRequest } from '../http/exchange';
import type { ResourceTarget } from '../http/request-target';
import { isTrue } from '../rest/options';
import type { Attributes } from './access-attributes';

type Asked = Pick<ApiRequest, 'method' | 'path' | 'query'>;

/** What a request for a resource is authorized as. */
export const attributesOf = ({ method, query }: Asked, target: ResourceTarget): Attributes => {
  const { group, plural, subresource, namespace } = target;
  const verb = target.name === '' ? collectionVerb(method, query) : OBJECT_VERBS[method];
  const isRead = verb === 'list' || verb === 'watch';
  const fields = isRead ? exactFields(query.get('fieldSelector') ?? '') : NO_FIELDS;
  // To list what has one name is to ask for that name: a role may be about it alone.
  const named = fields.get('metadata.name') ?? '';
  const name = target.name === '' && SEGMENT.test(named) ? named : target.name;
  return {
    verb: verb ?? method.toLowerCase(),
    group,
    resource: plural,
    subresource,
    namespace,
    name,
    ...(fields.size === 0 ? {} : { fields }),
  };
};

/**
 * Upgrading to a stream into a container changes what runs there, though a WebSocket can only begin
 * with a GET: it needs the right to create, as the older protocol with its POST does. KEP-4006.
 */
export const upgradeAttributes = (request: Asked, target: ResourceTarget): Attributes => ({
  ...attributesOf(request, target),
  verb: 'create',
});

/** What a request for anything else is authorized as. */
export const pathAttributes = ({ method, path }: Asked): Attributes => ({
  verb: method.toLowerCase(),
  group: '',
  resource: '',
  subresource: '',
  namespace: '',
  name: '',
  path,
});

const collectionVerb = (method: string, query: URLSearchParams): string | undefined => {
  if (method === 'GET') return isTrue(query, 'watch') ? 'watch' : 'list';
  return method === 'DELETE' ? 'deletecollection' : OBJECT_VERBS[method];
};

/** The first value that each field must have: what else is asked can only match less. */
const exactFields = (selector: string): ReadonlyMap<string, string> => {
  try {
    const exact = parseFieldSelector(selector).filter(({ operator }) => operator === '=');
    return new Map(exact.reverse().map(({ field, value }) => [field, value]));
  } catch (error) {
    // Refused later, by who reads the list.
    if (error instanceof SelectorError) return NO_FIELDS;
    throw error;
  }
};

/** What may stand in a path. */
const SEGMENT = /^(?!\.{1,2}$)[^/%]+$/;
const NO_FIELDS: ReadonlyMap<string, string> = new Map();
const OBJECT_VERBS: Readonly<Record<string, string>> = {
  GET: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};
