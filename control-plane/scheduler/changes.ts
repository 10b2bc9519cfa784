import { groupKeyOf } from '../../api/pod-groups';
import { NODES } from '../../api/resources';
import { keyOf, type CSIStorageCapacity } from '../../api/types';
import { refusalBeside } from './beside-nominated';
import { filtersFor, firstRefusal } from './filters';
import type { WakeEvent } from './plugins/plugin';
import type { PodInfo } from './pod-info';
import type { Profiles } from './profile';
import type { ClusterView, Snapshot } from './snapshot';
import type { VolumeView } from './volumes/volume-view';

/** Something happened, and it may let a pod in that waits. */
export interface Change {
  readonly event: WakeEvent;
  /** What changed. Of the same thing and event, the later change stands for both. */
  readonly key: string;
  /** A hint: anything but `may-help` only where the pod cannot go anywhere because of this. */
  effectOn(info: PodInfo): Effect;
}

/**
 * What a change means for a waiting pod. Where a plugin keeps the pod from what changed, the pod waits
 * for what may lift that, too: at its attempt another plugin, or none, had spoken against that place.
 */
export type Effect = 'may-help' | 'no-help' | { readonly refusedBy: string };

export interface ChangesDeps {
  readonly snapshot: Snapshot;
  readonly profiles: Profiles;
  /** Finds what is behind the claims of pods. Default: they have none. */
  readonly volumes?: Pick<VolumeView, 'resolve'> | undefined;
}

/** What may wake pods, and which. */
export class Changes {
  constructor(private readonly deps: ChangesDeps) {}

  /** On a node: it helps those who fit it right now. */
  ofNode(event: WakeEvent, nodeName: string): Change {
    return {
      event,
      key: `${NODES.plural}/${nodeName}`,
      // By itself a member may fit, or not, whatever becomes of its group.
      effectOn: (info) =>
        groupKeyOf(info.pod) === undefined ? this.effectOfNode(info, nodeName) : 'may-help',
    };
  }

  ofClaim(event: WakeEvent, claim: string): Change {
    return {
      event,
      key: `claims/${claim}`,
      effectOn: ({ claims }) => helpIf(claims.includes(claim)),
    };
  }

  /** A group of pods, or who belongs to it. */
  ofGroup(groupKey: string): Change {
    return {
      event: 'PodGroupChanged',
      key: `groups/${groupKey}`,
      effectOn: ({ pod }) => helpIf(groupKeyOf(pod) === groupKey),
    };
  }

  ofAnyClaim(event: WakeEvent): Change {
    return { event, key: 'claims', effectOn: ({ claims }) => helpIf(claims.length > 0) };
  }

  /** Where its driver can make volumes has changed: of interest to claims of its class. */
  ofCapacity(capacity: CSIStorageCapacity): Change {
    return {
      event: 'StorageCapacityChanged',
      key: `capacities/${keyOf(capacity)}`,
      effectOn: (info) =>
        helpIf(
          this.resolved(info).volumes?.delayed.some(
            ({ storageClass }) => storageClass.metadata.name === capacity.storageClassName,
          ) === true,
        ),
    };
  }

  /** A pod came to a node, changed or went: of interest to those who count such pods, or shun them. */
  ofPod(pod: PodInfo): Change {
    const { snapshot } = this.deps;
    return {
      event: 'PodsChanged',
      key: `pods/${pod.uid}`,
      effectOn: (info) =>
        helpIf(
          concerns(info, pod, snapshot) ||
            (this.isSpread(info) && info.namespace === pod.namespace),
        ),
    };
  }

  /** A namespace has other labels: selectors of namespaces may select others. */
  ofNamespace(name: string): Change {
    return {
      event: 'PodsChanged',
      key: `namespaces/${name}`,
      effectOn: ({ affinity }) => helpIf(affinity !== undefined),
    };
  }

  /** A node came, went, or has other labels or taints: what is emptiest may be another domain. */
  ofDomains(): Change {
    return {
      event: 'DomainsChanged',
      key: 'domains',
      effectOn: (info) => helpIf(this.isSpread(info)),
    };
  }

  private effectOfNode(info: PodInfo, nodeName: string): Effect {
    const { snapshot, profiles } = this.deps;
    const node = snapshot.node(nodeName);
    if (node === undefined) return 'no-help';
    const [pod, profile] = [this.resolved(info), profiles.of(info.pod)];
    // What another is about to get helps nobody else: a try for nothing only prolongs the backoff.
    const refused =
      firstRefusal(filtersFor(pod, snapshot, profile), node) ??
      refusalBeside(pod, node, { cluster: snapshot, profile });
    return refused === undefined ? 'may-help' : { refusedBy: refused.plugin.name };
  }

  /** Does it go by how many of its kind are in each domain? */
  private isSpread({ pod }: PodInfo): boolean {
    const own = pod.spec.topologySpreadConstraints ?? [];
    return own.length > 0 || this.deps.profiles.of(pod).isSpreadByDefault;
  }

  private resolved(info: PodInfo): PodInfo {
    return this.deps.volumes?.resolve(info) ?? info;
  }
}

const helpIf = (mayHelp: boolean): Effect => (mayHelp ? 'may-help' : 'no-help');

/** May it matter to the first pod where the second is? */
const concerns = (waiting: PodInfo, pod: PodInfo, { namespaceLabels }: ClusterView): boolean => {
  const { required = [], antiRequired = [] } = waiting.affinity ?? {};
  const { antiRequired: shunning = [] } = pod.affinity ?? {};
  return (
    [...required, ...antiRequired].some((term) => term.selects(pod, namespaceLabels)) ||
    shunning.some((term) => term.selects(waiting, namespaceLabels))
  );
};
