import { ApiError } from '../../../api/errors';
import { POD_EXPLANATIONS } from '../../../api/resources';
import { cloneJson } from '../../../api/json-value';
import { requestToken } from '../auth/token-request';
import { notServed } from '../kinds/kind-registry';
import { bindPod, parseBinding } from '../pods/binding';
import { evictPod } from '../pods/eviction';
import { podIsolation } from '../pods/isolation';
import { podLog } from '../pods/log';
import { proxyToNode } from '../nodes/proxy';
import { statusResponse, successStatus, type ApiResponse } from '../http/exchange';
import { readObject, readValue } from './body';
import { writeContextOf } from './options';
import { patch } from './patching';
import { itemResponse } from './read-responses';
import {
  notAllowed,
  readPatch,
  viewOf,
  waitingIn,
  warningsOf,
  type KindRequest,
  type RestDeps,
} from './kind-request';
import { patchScale, putScale, getScale } from './scale-requests';

/** @throws ApiError */
export const handleSubresource = async (
  deps: RestDeps,
  asked: KindRequest,
): Promise<ApiResponse> => {
  const { kind, target, request } = asked;
  const isKnown = kind.subresources.includes(target.subresource);
  const handler = isKnown ? HANDLERS[target.subresource] : undefined;
  if (handler === undefined || target.name === '') throw notServed();
  return handler(deps, asked, request.method);
};

type Handler = (deps: RestDeps, asked: KindRequest, method: string) => Promise<ApiResponse>;

const part =
  (subresource: 'status' | 'finalize' | 'approval' | 'ephemeralcontainers' | 'resize'): Handler =>
  async (deps, asked, method) => {
    const { request, kind, target, permit } = asked;
    const view = viewOf(deps, asked);
    const { reader, writer } = deps.service;
    if (method === 'GET' && subresource !== 'finalize')
      return itemResponse(
        view,
        await reader.get(kind, target, undefined, request.query, waitingIn(request)),
      );
    const context = writeContextOf(request, permit, subresource);
    if (method === 'PUT') {
      const object = await readObject(request, kind, context);
      const item = await writer.update(kind, target, () => cloneJson(object), context);
      return itemResponse(view, item, 200, warningsOf(context));
    }
    if (method !== 'PATCH') throw notAllowed();
    const change = await readPatch(request, kind);
    const { item } = await patch(deps.service, kind, target, change, context);
    return itemResponse(view, item, 200, warningsOf(context));
  };

const scale: Handler = (deps, asked, method) => {
  switch (method) {
    case 'GET':
      return getScale(deps, asked);
    case 'PUT':
      return putScale(deps, asked);
    case 'PATCH':
      return patchScale(deps, asked);
    default:
      throw notAllowed();
  }
};

const posted =
  (work: (deps: RestDeps, asked: KindRequest, body: unknown) => Promise<void>): Handler =>
  async (deps, asked, method) => {
    if (method !== 'POST') throw notAllowed();
    await work(deps, asked, await readValue(asked.request));
    return statusResponse({ ...successStatus(), code: 201 });
  };

const binding = posted(({ service }, { kind, target, request, permit }, body) =>
  bindPod(service, kind, target, parseBinding(body), writeContextOf(request, permit)),
);

const eviction = posted(({ service }, { kind, target, request, permit }, body) =>
  evictPod(service, kind, target, body, writeContextOf(request, permit)),
);

const log: Handler = async ({ service, nodes }, { kind, target, request }, method) => {
  if (method !== 'GET') throw notAllowed();
  return podLog(service, nodes, kind, target, request);
};

/** Why the pod is where it is, or nowhere: the scheduler says so when asked. */
const scheduling: Handler = async (deps, asked, method) => {
  if (method !== 'GET') throw notAllowed();
  const { request, target } = asked;
  const { kinds, reader } = deps.service;
  const kind = kinds.of(POD_EXPLANATIONS);
  const item = await reader.get(kind, target, undefined, request.query, waitingIn(request));
  return itemResponse(viewOf(deps, { ...asked, kind }), item);
};

const isolation: Handler = async ({ service, nodes }, { kind, target, request }, method) => {
  if (method !== 'GET') throw notAllowed();
  return podIsolation(service, nodes, kind, target, request.signal);
};

const proxy: Handler = async ({ service, nodes, proxies }, asked, method) => {
  const { kind, target, request } = asked;
  if (kind.resource.plural !== 'nodes') return proxies.answer(asked);
  if (method !== 'GET') throw notAllowed();
  return proxyToNode(service, nodes, kind, target, request.signal);
};

const token: Handler = async ({ service }, { kind, target, request, permit }, method) => {
  if (method !== 'POST') throw notAllowed();
  const body = await readValue(request);
  return requestToken(service, kind, target, body, writeContextOf(request, permit, 'token'));
};

/** Served as a WebSocket before a request comes this far. */
const upgradeOnly: Handler = async () => {
  throw new ApiError('BadRequest', 'Upgrade request required');
};

const HANDLERS: Readonly<Partial<Record<string, Handler>>> = {
  status: part('status'),
  finalize: part('finalize'),
  approval: part('approval'),
  ephemeralcontainers: part('ephemeralcontainers'),
  resize: part('resize'),
  scale,
  binding,
  eviction,
  scheduling,
  isolation,
  log,
  proxy,
  token,
  exec: upgradeOnly,
  attach: upgradeOnly,
  portforward: upgradeOnly,
};
