import { defaultEndpointSlice } from '../defaults/endpoints';
import { ENDPOINT_SLICES } from '../resources';
import type { EndpointSlice } from '../types';
import { validateEndpointSlice, validateEndpointSliceUpdate } from '../validation/endpoint-slice';
import { defineKind } from './kind';

export const ENDPOINT_SLICE_KIND = defineKind(ENDPOINT_SLICES, {
  applyDefaults: defaultEndpointSlice,
  validateCreate: validateEndpointSlice,
  validateUpdate: validateEndpointSliceUpdate,
  warnings: ({ addressType }: EndpointSlice) =>
    addressType === 'FQDN' ? ['spec.addressType: FQDN endpoints are deprecated'] : [],
});
