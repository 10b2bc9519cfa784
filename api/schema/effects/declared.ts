import { kept, shown, warned, type Effects } from './effect';
import { OBJECT, STATUS } from './metadata';

/** Kinds that nothing acts on yet: all of their specs is warned of. */
export const DECLARED_EFFECTS: Effects = {
  Endpoints: {
    ...OBJECT,
    subsets: warned([{ addresses: [{ ip: '192.0.2.1' }], ports: [{ port: 80 }] }]),
  },
  EndpointSlice: {
    ...OBJECT,
    addressType: shown(
      'control-plane/api-server/kinds/endpoints.test.ts: holds addresses to their type',
    ),
    endpoints: warned([{ addresses: ['192.0.2.1'] }]),
    ports: kept('where the endpoints are reached, by who reads them'),
  },
  Ingress: {
    ...OBJECT,
    spec: warned({ defaultBackend: { service: { name: 'web', port: { number: 80 } } } }),
    status: STATUS,
  },
  IngressClass: {
    ...OBJECT,
    spec: warned({ controller: 'example.com/ingress' }),
  },
};
