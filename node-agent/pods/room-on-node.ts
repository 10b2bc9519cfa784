import { uidOf, type Pod } from '../../api/types';
import type { CpuManager } from '../cpus/pod-cpus';
import type { PodDeviceAccess } from '../devices/device-manager';
import type { PodDeps } from '../containers/pod-deps';
import { refuseToAdmit, type AdmittingNode, type Refusal } from '../plan/admission';
import { refuseToResize } from '../plan/resize';

interface RoomDeps {
  /** Those that take room on the node. */
  readonly active: () => readonly Pod[];
  /** A Node's `status.allocatable`. */
  readonly allocatable: () => Readonly<Record<string, string>>;
  readonly node: () => AdmittingNode | undefined;
  /** Why the node takes no pod now, whatever there is room for. */
  readonly closed: (pod: Pod) => Refusal | undefined;
  readonly cpus: CpuManager;
  readonly devices: Pick<PodDeviceAccess, 'refuse' | 'reserve'>;
}

/** What keeps pods, and pods that are to grow, from a node. */
export const roomOnNode = ({
  active,
  allocatable,
  node,
  closed,
  cpus,
  devices,
}: RoomDeps): Pick<PodDeps, 'admit' | 'refuseResize'> => ({
  admit: (pod) =>
    closed(pod) ??
    cpus.refuse(pod) ??
    devices.refuse(pod) ??
    refuseToAdmit({ pod, others: active(), allocatable: allocatable(), node: node() }) ??
    cpus.take(pod) ??
    devices.reserve(pod),
  refuseResize: (pod) =>
    cpus.refuseResize(pod) ??
    refuseToResize({
      pod,
      others: active().filter((other) => uidOf(other) !== uidOf(pod)),
      allocatable: allocatable(),
    }),
});
