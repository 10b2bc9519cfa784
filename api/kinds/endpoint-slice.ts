import { defaultEndpointSlice } from '../defaults/endpoints';
import { ENDPOINT_SLICES } from '../resources';
import type { EndpointSlice } from '../types';
import { unsupportedInEndpointSlice } from '../unsupported';
import { validateEndpointSlice, validateEndpointSliceUpdate } from '../validation/endpoint-slice';
import { defineKind } from './kind';

export const ENDPOINT_SLICE_KIND = defineKind(ENDPOINT_SLICES, {
  applyDefaults: defaultEndpointSlice,
  validateCreate: validateEndpointSlice,
  validateUpdate: validateEndpointSliceUpdate,
  warnings: (slice: EndpointSlice) => [
    ...(slice.addressType === 'FQDN' ? ['spec.addressType: FQDN endpoints are deprecated'] : []),
    ...unsupportedInEndpointSlice(slice),
  ],
});
