import type { Scale } from '../../../api/scale';
import type { ApiObject } from '../../../api/types';
import { jsonResponse, type ApiResponse } from '../http/exchange';
import { numberAt } from '../kinds/mutable';
import { patchJson } from '../objects/rules';
import { AGE, count, NAME, printer } from '../printing/columns';
import { partialMetadata, tableOf } from '../printing/table';
import { readValue } from './body';
import { writeContextOf } from './options';
import { readPatch, viewOf, type KindRequest, type RestDeps } from './kind-request';
import { checkScale, readScale, scaleOf, updateScale } from './scale';

export const getScale = async (deps: RestDeps, asked: KindRequest): Promise<ApiResponse> => {
  const { kind, target, request } = asked;
  const scale = await readScale(deps.service, kind, target, request.query, request.signal);
  const { representation, includeObject, nowMs } = viewOf(deps, asked);
  switch (representation) {
    case 'object':
      return jsonResponse(scale);
    case 'metadata':
      return jsonResponse(partialMetadata(scale));
    case 'table': {
      const { resourceVersion = '' } = scale.metadata;
      const style = { printer: SCALE_PRINTER };
      return jsonResponse(tableOf(style, [scale], { resourceVersion }, includeObject, nowMs));
    }
  }
};

/** Source: upstream's printers/internalversion. */
const SCALE_PRINTER = printer(
  NAME,
  count('Desired', (scale) => numberAt(scale, 'spec', 'replicas')),
  count('Available', (scale) => numberAt(scale, 'status', 'replicas')),
  AGE,
);

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
