import { isInt64, type Int64 } from '../../../api/int64';
import { POD_KIND } from '../../../api/kinds/pod';
import { qosClassOf } from '../../../api/pods';
import type { ApiObject, PodSpec } from '../../../api/types';
import { POD_PRINTER } from '../printing/pods';
import { textAt, valueAt } from './mutable';
import { serveKind, WITH_SPEC, type Strategy } from './served-kind';

/**
 * A pod gets its grace unless nothing runs: not bound, or ended. Zero means at once; a negative
 * request means as short as possible.
 */
const podGraceSeconds = (pod: ApiObject, requested: Int64 | undefined): Int64 => {
  const phase = textAt(pod, 'status', 'phase');
  if (textAt(pod, 'spec', 'nodeName') === '' || phase === 'Succeeded' || phase === 'Failed')
    return 0;
  const own = valueAt(pod, 'spec', 'terminationGracePeriodSeconds');
  const seconds = requested ?? (isInt64(own) ? own : 30);
  return seconds < 0 ? 1 : seconds;
};

const STRATEGY: Strategy = {
  ...WITH_SPEC,
  prepareCreate: (pod) => {
    pod.status = { phase: 'Pending' };
    // Admission comes before validation: this may be anything yet.
    if (Array.isArray(pod.spec?.['containers']))
      pod.status['qosClass'] = qosClassOf(pod.spec as unknown as PodSpec);
  },
  graceSeconds: podGraceSeconds,
};

export const POD = serveKind(POD_KIND, { strategy: STRATEGY, printer: POD_PRINTER });
