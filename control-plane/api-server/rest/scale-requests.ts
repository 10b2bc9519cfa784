import { ApiError } from '../../../api/errors';
import type { ApiObject } from '../../../api/types';
import { invalid, invalidError } from '../../../api/validation/field-error';
import { jsonResponse, type ApiResponse } from '../http/exchange';
import { isFields, numberAt, textAt, valueAt } from '../kinds/mutable';
import { patchJson } from '../objects/rules';
import { readValue } from './body';
import { writeContextOf } from './options';
import { readPatch, type KindRequest, type RestDeps } from './kind-request';
import { scaleOf, withScale, type Scale } from './scale';

export const getScale = async (
  { service }: RestDeps,
  { kind, target, request }: KindRequest,
): Promise<ApiResponse> => {
  const { query, signal } = request;
  const { object } = await service.reader.get(kind, target, undefined, query, signal);
  return jsonResponse(scaleOf(object));
};

export const putScale = async (deps: RestDeps, asked: KindRequest): Promise<ApiResponse> => {
  const body = checkScale(await readValue(asked.request));
  return writeScale(deps, asked, () => body);
};

export const patchScale = async (deps: RestDeps, asked: KindRequest): Promise<ApiResponse> => {
  const { type, body } = await readPatch(asked.request, asked.kind);
  return writeScale(deps, asked, (current) =>
    checkScale(patchJson(asked.kind, type, scaleOf(current), body)),
  );
};

const writeScale = async (
  { service }: RestDeps,
  { kind, target, request, permit }: KindRequest,
  change: (current: ApiObject) => Scale,
): Promise<ApiResponse> => {
  const item = await service.writer.update(
    kind,
    target,
    (current) => withScale(kind, current, change(current)),
    writeContextOf(request, permit, 'scale'),
  );
  return jsonResponse(scaleOf(item.object));
};

const checkScale = (value: unknown): Scale => {
  const replicas = valueAt(value, 'spec', 'replicas') ?? 0;
  if (!isFields(value) || !isFields(value['metadata']) || !Number.isInteger(replicas))
    throw new ApiError('BadRequest', 'a scale needs metadata and an integer spec.replicas');
  if (numberAt(value, 'spec', 'replicas') < 0)
    throw invalidError({ group: 'autoscaling', kind: 'Scale' }, textAt(value, 'metadata', 'name'), [
      invalid('spec.replicas', replicas, 'must be greater than or equal to 0'),
    ]);
  return value as unknown as Scale;
};
