import { warned, type Effects } from './effect';
import { OBJECT, STATUS } from './metadata';

/** Kinds that nothing acts on yet: all of their specs is warned of. */
export const DECLARED_EFFECTS: Effects = {
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
