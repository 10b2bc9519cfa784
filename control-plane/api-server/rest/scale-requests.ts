import { ApiError } from '../../../api/errors';
import type { ApiObject } from '../../../api/types';
import { valueAt } from '../kinds/mutable';
import { jsonResponse, type ApiResponse } from '../http/exchange';
import { patchJson } from '../objects/rules';
import { readValue } from './body';
import { writeContextOf } from './options';
import { readPatch, type KindRequest, type RestDeps } from './kind-request';
import { checkScale, scaleOf, updateScale, type Scale } from './scale';

export const getScale = async (
  { service }: RestDeps,
  { kind, target, request }: KindRequest,
): Promise<ApiResponse> => {
  const { query, signal } = request;
  const { object } = await service.reader.get(kind, target, undefined, query, signal);
  if (kind.scale !== undefined && valueAt(object, ...kind.scale.specReplicas) === undefined)
    throw new ApiError(
      'InternalError',
      `the spec replicas field ".${kind.scale.specReplicas.join('.')}" does not exist`,
    );
  return jsonResponse(scaleOf(kind, object));
};

export const putScale = async (deps: RestDeps, asked: KindRequest): Promise<ApiResponse> => {
  const body = checkScale(await readValue(asked.request));
  return writeScale(deps, asked, () => body);
};

export const patchScale = async (deps: RestDeps, asked: KindRequest): Promise<ApiResponse> => {
  const { type, body } = await readPatch(asked.request, asked.kind);
  return writeScale(deps, asked, (current) =>
    checkScale(patchJson(asked.kind, type, scaleOf(asked.kind, current), body)),
  );
};

const writeScale = async (
  { service }: RestDeps,
  { kind, target, request, permit }: KindRequest,
  change: (current: ApiObject) => Scale,
): Promise<ApiResponse> =>
  jsonResponse(
    await updateScale(service, kind, target, change, writeContextOf(request, permit, 'scale')),
  );
