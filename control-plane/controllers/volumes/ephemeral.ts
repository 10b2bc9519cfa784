import { hasReason } from '../../../api/errors';
import { isTerminal } from '../../../api/pods';
import { controllerRef } from '../../../api/owners';
import { apiVersionOf, PERSISTENT_VOLUME_CLAIMS, PODS } from '../../../api/resources';
import { keyOf, nameKey, type PersistentVolumeClaim, type Pod } from '../../../api/types';
import { claimNameOf, isForPod } from '../../../api/volumes';
import type { DraftOf } from '../../../client/api-client';
import type { Informer } from '../../../client/informer';
import { WorkQueue } from '../../../client/work-queue';
import { describeError } from '../../../lib/log';
import { subject, Subscriptions, type Controller, type ControllerDeps } from '../controller';

/**
 * Makes the claims that pods bring with them: they are the pod's, and go with it. Source: upstream's
 * pkg/controller/volume/ephemeral/controller.go.
 */
export class EphemeralVolumeController implements Controller {
  readonly name = 'ephemeral-volume';
  private readonly pods: Informer<Pod>;
  private readonly claims: Informer<PersistentVolumeClaim>;
  private readonly queue: WorkQueue;

  constructor(private readonly deps: ControllerDeps) {
    this.pods = deps.informers.of(PODS);
    this.claims = deps.informers.of(PERSISTENT_VOLUME_CLAIMS);
    this.queue = new WorkQueue(this.name, deps, {
      subjectOf: (key) => subject(PODS, this.pods.get(key)),
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { name } = this;
    using subscriptions = new Subscriptions();
    const onAdd = (pod: Pod) => {
      if (hasEphemeral(pod)) this.queue.add(keyOf(pod));
    };
    subscriptions.add(this.pods.subscribe({ name, onAdd }));
    const onDelete = ({ metadata }: PersistentVolumeClaim) => {
      for (const { kind, name: owner } of metadata.ownerReferences ?? [])
        if (kind === PODS.kind)
          this.queue.add(nameKey({ namespace: metadata.namespace ?? '', name: owner }));
    };
    subscriptions.add(this.claims.subscribe({ name, onDelete }));
    await Promise.all([this.pods.whenSynced(), this.claims.whenSynced()]);
    await this.queue.run((key, each) => this.reconcile(key, each), WORKERS, signal);
  }

  private async reconcile(key: string, signal: AbortSignal): Promise<void> {
    const pod = this.pods.get(key);
    if (pod === undefined || pod.metadata.deletionTimestamp !== undefined || isTerminal(pod))
      return;
    for (const volume of pod.spec.volumes ?? [])
      if (volume.ephemeral !== undefined) await this.ensureClaim(pod, volume, signal);
  }

  private async ensureClaim(pod: Pod, volume: PodVolume, signal: AbortSignal): Promise<void> {
    const { namespace = '' } = pod.metadata;
    const name = claimNameOf(pod, volume) ?? '';
    const claim = this.claims.get(nameKey({ namespace, name }));
    if (claim !== undefined) {
      if (isForPod(pod, claim)) return;
      throw new Error(
        `PVC "${namespace}/${name}" was not created for pod "${keyOf(pod)}" (pod is not owner)`,
      );
    }
    const { client, events } = this.deps;
    try {
      const draft = draftOf(pod, volume, name);
      this.claims.noteWritten(await client.create(PERSISTENT_VOLUME_CLAIMS, draft, {}, signal));
    } catch (error) {
      const message = `ephemeral volume controller: create PVC ${name}: ${describeError(error)}`;
      if (!signal.aborted && !hasReason(error, 'AlreadyExists'))
        events.event(PODS, pod, 'Warning', 'FailedBinding', message);
      throw error;
    }
  }
}

type PodVolume = NonNullable<Pod['spec']['volumes']>[number];

const draftOf = (
  pod: Pod,
  { ephemeral }: PodVolume,
  name: string,
): DraftOf<PersistentVolumeClaim> => {
  const { metadata, spec } = ephemeral?.volumeClaimTemplate ?? {};
  const { labels, annotations } = metadata ?? {};
  return {
    apiVersion: apiVersionOf(PERSISTENT_VOLUME_CLAIMS),
    kind: PERSISTENT_VOLUME_CLAIMS.kind,
    metadata: {
      name,
      namespace: pod.metadata.namespace ?? '',
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ownerReferences: [controllerRef(pod)],
    },
    ...(spec === undefined ? {} : { spec }),
  };
};

const hasEphemeral = ({ spec }: Pod): boolean =>
  (spec.volumes ?? []).some(({ ephemeral }) => ephemeral !== undefined);

const WORKERS = 2;
