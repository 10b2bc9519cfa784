import { effectiveRequests, qosClassOf, type QosClass, type ResourceAmounts } from '../../api/pods';
import type { Pod } from '../../api/types';

type Spec = Pod['spec'];

/**
 * What pods of this node ask for, and their class. Pure, and remembered: nothing here changes a pod in
 * place, and the start of each goes over all of them.
 */
export const requestsOf = (spec: Spec): ResourceAmounts =>
  remember(REQUESTS, spec, effectiveRequests);

export const classOf = (spec: Spec): QosClass => remember(CLASSES, spec, qosClassOf);

const remember = <T>(known: WeakMap<Spec, T>, spec: Spec, workOut: (spec: Spec) => T): T => {
  const found = known.get(spec) ?? workOut(spec);
  known.set(spec, found);
  return found;
};

const REQUESTS = new WeakMap<Spec, ResourceAmounts>();
const CLASSES = new WeakMap<Spec, QosClass>();
