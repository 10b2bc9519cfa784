import type { Scale } from '../../../api/scale';
import type { ApiObject } from '../../../api/types';
import { jsonResponse, type ApiResponse } from '../http/exchange';
import { patchJson } from '../objects/rules';
import { readValue } from './body';
import { writeContextOf } from './options';
import { readPatch, type KindRequest, type RestDeps } from './kind-request';
import { checkScale, readScale, scaleOf, updateScale } from './scale';

export const getScale = async (
  { service }: RestDeps,
  { kind, target, request }: KindRequest,
): Promise<ApiResponse> => {
  const { query, signal } = request;
  return jsonResponse(await readScale(service, kind, target, query, signal));
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
