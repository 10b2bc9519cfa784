import { COORDINATION_GROUP, NODE_LEASE_NAMESPACE } from '../../../../api/node-restriction';
import { ADMISSION_GROUP, EVENTS } from '../../../../api/resources';
import { SYSTEM_USER } from '../../auth/user';
import type { AdmissionAttributes } from '../attributes';

/**
 * What no webhook and no policy is asked about, so that none that is broken locks the cluster up:
 * - the configurations themselves, as upstream: whoever broke it can mend it;
 * - leases of the system: nodes would seem dead, and nobody would lead;
 * - what the server's own components say rather than want: events and statuses, and cluster-scoped
 *   objects, among them those without which it does not start.
 * What its controllers make for others, as the pods of a ReplicaSet, is asked about.
 */
export const isExempt = ({ kind, namespace, subresource, user }: AdmissionAttributes): boolean => {
  const { resource } = kind;
  if (resource.group === ADMISSION_GROUP) return true;
  if (resource.group === COORDINATION_GROUP && SYSTEM_NAMESPACES.has(namespace)) return true;
  // The very user, whom no certificate and no impersonation can name.
  if (user !== SYSTEM_USER) return false;
  return !resource.isNamespaced || resource === EVENTS || OWN_PARTS.has(subresource);
};

const SYSTEM_NAMESPACES: ReadonlySet<string> = new Set([NODE_LEASE_NAMESPACE, 'kube-system']);
const OWN_PARTS: ReadonlySet<string> = new Set(['status', 'finalize']);
