import { controllerOf } from '../../../api/owners';
import { isPodActive, isTerminating } from '../../../api/pods';
import type { ApiObject, CronJob, DaemonSet, Deployment, Job, Pod } from '../../../api/types';
import { uidOf } from '../../../api/types';
import type { StoreKey } from '../../../control-plane/store/store';
import { usageOf } from '../../../api/quota/usage';
import { PODS } from '../../../api/resources';
import { endOf } from '../job-support';
import type { World } from '../world';

/** How the tracked pods of a job ended, as each lost its finalizer. */
interface Tally {
  succeeded: number;
  failed: number;
  /** Somebody had asked for their deletion before: whether they count depends on who was first. */
  cut: number;
  readonly indexes: Set<string>;
}

/**
 * Follows every write to the store and holds it to what must never be: more pods than were ever asked
 * for, two jobs of one time, a job that counts wrongly. Violations are kept, for a write cannot be
 * taken back; `check` throws the first.
 */
export class Ledger {
  private readonly violations: string[] = [];
  private readonly wishes = new Map<string, { readonly atMs: number; readonly count: number }[]>();
  private readonly tallies = new Map<string, Tally>();
  /** Of each cron job's uid, the times for which a job was started. */
  private readonly starts = new Map<string, Set<string>>();

  constructor(private readonly world: World) {
    world.store.onWrite((key, after, before) => this.see(key, after, before));
  }

  /** @throws Error what went wrong first */
  check(): void {
    const [first] = this.violations;
    if (first !== undefined) throw new Error(first);
  }

  private see(key: StoreKey, after: ApiObject | undefined, before: ApiObject | undefined): void {
    if (after !== undefined) this.noteWish(key.resource, after);
    if (key.resource === 'pods') this.seePod(after as Pod | undefined, before as Pod | undefined);
    if (key.resource === 'jobs.batch' && after !== undefined) {
      if (before === undefined) this.seeJobMade(after);
      else this.seeJob(after, before);
    }
  }

  private seePod(after: Pod | undefined, before: Pod | undefined): void {
    if (before !== undefined) this.seeReleased(before, after);
    else if (after !== undefined) this.seePodMade(after);
  }

  private noteWish(resource: string, object: ApiObject): void {
    const count = wishOf(resource, object);
    if (count === undefined) return;
    const wishes = this.wishes.get(uidOf(object)) ?? [];
    this.wishes.set(uidOf(object), wishes);
    const atMs = this.world.clock.monotonicMs();
    if (wishes.at(-1)?.count !== count) wishes.push({ atMs, count });
  }

  /** The most that was asked for lately: who acts on a wish may not know of the next one yet. */
  private lately(uid: string): number {
    const wishes = this.wishes.get(uid) ?? [];
    const sinceMs = this.world.clock.monotonicMs() - LATELY_MS;
    const from = wishes.findLastIndex(({ atMs }) => atMs <= sinceMs);
    return Math.max(...wishes.slice(Math.max(0, from)).map(({ count }) => count));
  }

  private seePodMade(pod: Pod): void {
    this.checkQuota(pod);
    const owner = controllerOf(pod);
    if (owner === undefined) return;
    const own = this.podsOf(owner.uid).filter(isPodActive);
    if (owner.kind === 'DaemonSet') this.checkNode(pod, own);
    else this.checkCount(`${owner.kind} ${owner.name}`, own.length, this.lately(owner.uid));
    if (owner.kind === 'ReplicaSet') this.checkSurge(owner.uid);
  }

  private checkCount(who: string, count: number, most: number): void {
    if (count > most) this.violations.push(`${who} has ${count} pods of ${most}`);
  }

  private checkSurge(setUid: string): void {
    const sets = this.world.store.current('replicasets.apps');
    const set = sets.find((each) => uidOf(each) === setUid);
    const owner = set && controllerOf(set);
    const deployment = this.world.store
      .current('deployments.apps')
      .find((each) => uidOf(each) === owner?.uid) as Deployment | undefined;
    if (deployment === undefined) return;
    const own = sets
      .filter((each) => controllerOf(each)?.uid === owner?.uid)
      .flatMap((each) => this.podsOf(uidOf(each)).filter(isPodActive));
    const surge = Number(deployment.spec.strategy?.rollingUpdate?.maxSurge ?? 0);
    const most = this.lately(uidOf(deployment)) + surge;
    this.checkCount(`Deployment ${deployment.metadata.name}`, own.length, most);
  }

  private checkNode(pod: Pod, own: readonly Pod[]): void {
    const set = this.world.store
      .current('daemonsets.apps')
      .find((each) => uidOf(each) === controllerOf(pod)?.uid) as DaemonSet | undefined;
    const surge = Number(set?.spec.updateStrategy?.rollingUpdate?.maxSurge ?? 0);
    const there = own.filter((each) => targetOf(each) === targetOf(pod));
    this.checkCount(`DaemonSet on ${targetOf(pod)}`, there.length, 1 + surge);
  }

  private checkQuota({ metadata: { namespace } }: Pod): void {
    const quota = this.world.store
      .current('resourcequotas')
      .find((each) => each.metadata.namespace === namespace);
    if (quota === undefined) return;
    // One that should be gone by now is not charged any more, though its node may be away.
    const nowMs = this.world.clock.now();
    const counted = this.world.store
      .current('pods')
      .filter(
        (pod) => pod.metadata.namespace === namespace && usageOf(PODS, pod, nowMs).has('pods'),
      );
    this.checkCount('the namespace', counted.length, this.lately(uidOf(quota)));
  }

  private seeReleased(before: Pod, after: Pod | undefined): void {
    const owner = controllerOf(before);
    if (owner?.kind !== 'Job' || !isTracked(before) || (after && isTracked(after))) return;
    const tally = this.tallyOf(owner.uid);
    const index = before.metadata.annotations?.['batch.kubernetes.io/job-completion-index'];
    if (before.status.phase === 'Succeeded') {
      tally.succeeded++;
      if (index !== undefined) tally.indexes.add(index);
    } else if (isTerminating(before)) tally.cut++;
    else if (before.status.phase === 'Failed') tally.failed++;
  }

  private tallyOf(jobUid: string): Tally {
    const known = this.tallies.get(jobUid);
    if (known !== undefined) return known;
    const tally = { succeeded: 0, failed: 0, cut: 0, indexes: new Set<string>() };
    this.tallies.set(jobUid, tally);
    return tally;
  }

  /** Once it has ended its numbers are those of its pods. */
  private seeJob(job: Job, before: Job): void {
    if (endOf(job) === undefined || endOf(before) !== undefined) return;
    const { succeeded = 0, failed = 0 } = job.status ?? {};
    const tally = this.tallyOf(uidOf(job));
    const right = job.spec?.completionMode === 'Indexed' ? tally.indexes.size : tally.succeeded;
    const isRight =
      succeeded === right && failed >= tally.failed && failed <= tally.failed + tally.cut;
    if (isRight) return;
    const counted = `succeeded ${succeeded}, failed ${failed}`;
    const were = `succeeded ${right}, failed ${tally.failed}, cut ${tally.cut}`;
    this.violations.push(`Job ${job.metadata.name} counted ${counted}, its pods: ${were}`);
  }

  private seeJobMade(job: Job): void {
    const owner = controllerOf(job);
    if (owner?.kind !== 'CronJob') return;
    const { annotations = {}, name } = job.metadata;
    const time = annotations['batch.kubernetes.io/cronjob-scheduled-timestamp'] ?? '';
    const starts = this.starts.get(owner.uid) ?? new Set();
    this.starts.set(owner.uid, starts);
    if (starts.has(time)) this.violations.push(`CronJob ${owner.name} ran twice for ${time}`);
    starts.add(time);
    const cronJob = this.world.store
      .current('cronjobs.batch')
      .find((each) => uidOf(each) === owner.uid) as CronJob | undefined;
    if (cronJob?.spec?.concurrencyPolicy !== 'Forbid') return;
    const others = (this.world.store.current('jobs.batch') as readonly Job[]).filter(
      (each) =>
        controllerOf(each)?.uid === owner.uid &&
        uidOf(each) !== uidOf(job) &&
        endOf(each) === undefined,
    );
    const [other] = others;
    if (other !== undefined)
      this.violations.push(`CronJob ${owner.name} began ${name} beside ${other.metadata.name}`);
  }

  private podsOf(ownerUid: string): readonly Pod[] {
    return (this.world.store.current('pods') as readonly Pod[]).filter(
      (pod) => controllerOf(pod)?.uid === ownerUid,
    );
  }
}

const wishOf = (resource: string, object: ApiObject): number | undefined => {
  const { spec = {} } = object as { spec?: Record<string, unknown> };
  switch (resource) {
    case 'deployments.apps':
    case 'replicasets.apps':
    case 'statefulsets.apps':
      return Number(spec['replicas'] ?? 1);
    case 'jobs.batch':
      return spec['suspend'] === true ? 0 : Number(spec['parallelism'] ?? 1);
    case 'resourcequotas':
      return Number((spec['hard'] as Record<string, string>)['pods']);
    default:
      return undefined;
  }
};

/** Which node a daemon is for, whether it is there yet or not. */
const targetOf = ({ spec }: Pod): string => {
  const [term] =
    spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
      ?.nodeSelectorTerms ?? [];
  return term?.matchFields?.[0]?.values?.[0] ?? spec.nodeName ?? '';
};

const isTracked = ({ metadata }: Pod): boolean =>
  metadata.finalizers?.includes('batch.kubernetes.io/job-tracking') === true;

/** Longer than any process of ours is away. */
const LATELY_MS = 300_000;
