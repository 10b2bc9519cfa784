import { SYSTEM_CRITICAL_PRIORITY } from '../../api/priorities';
import { isStaticPod } from '../../api/static-pods';
import type { Pod } from '../../api/types';

/** What the node cannot do without: it is never evicted, and let in under pressure. As upstream's IsCriticalPod. */
export const isCritical = (pod: Pod): boolean =>
  isStaticPod(pod) || (pod.spec.priority ?? 0) >= SYSTEM_CRITICAL_PRIORITY;
