import type { ApiObject } from '../../../api/types';
import { listAt, textAt, valueAt, type MutableObject } from './mutable';
import type { Strategy } from './served-kind';
import { isInt64, type Int64 } from '../../../api/int64';

/** Kinds that are all data: no status, no generation. */
export const PLAIN: Strategy = { hasGeneration: false, hasStatus: false, createsOnUpdate: false };

/** Kinds with a spec that someone acts on and a status that says how far. */
export const WITH_SPEC: Strategy = {
  hasGeneration: true,
  hasStatus: true,
  createsOnUpdate: false,
  prepareCreate: (object) => {
    object.status = {};
  },
};

export const NAMESPACE_STRATEGY: Strategy = {
  hasGeneration: false,
  hasStatus: true,
  createsOnUpdate: false,
  prepareCreate: (namespace) => {
    const finalizers = new Set([...listAt(namespace, 'spec', 'finalizers'), 'kubernetes']);
    namespace.spec = { ...namespace.spec, finalizers: [...finalizers] };
    namespace.status = { phase: 'Active' };
  },
  prepareUpdate: (namespace, old) => {
    // They change through /finalize only.
    namespace.spec = { ...namespace.spec, finalizers: listAt(old, 'spec', 'finalizers') };
  },
};

export const NODE_STRATEGY: Strategy = {
  hasGeneration: false,
  hasStatus: true,
  createsOnUpdate: false,
  prepareCreate: (node) => keepOldLabels(node),
  prepareUpdate: (node) => keepOldLabels(node),
};

/** Selectors written long ago still find their nodes. */
const keepOldLabels = ({ metadata }: MutableObject): void => {
  for (const name of ['arch', 'os']) {
    const value = metadata.labels?.[`kubernetes.io/${name}`];
    if (value !== undefined)
      metadata.labels = { ...metadata.labels, [`beta.kubernetes.io/${name}`]: value };
  }
};

export const preparePod = (pod: MutableObject): void => {
  pod.status = { phase: 'Pending' };
};

/**
 * A pod gets its grace unless nothing runs: not bound, or ended. Zero means at once; a negative
 * request means as short as possible.
 */
export const podGraceSeconds = (pod: ApiObject, requested: Int64 | undefined): Int64 => {
  const phase = textAt(pod, 'status', 'phase');
  if (textAt(pod, 'spec', 'nodeName') === '' || phase === 'Succeeded' || phase === 'Failed')
    return 0;
  const own = valueAt(pod, 'spec', 'terminationGracePeriodSeconds');
  const seconds = requested ?? (isInt64(own) ? own : 30);
  return seconds < 0 ? 1 : seconds;
};
