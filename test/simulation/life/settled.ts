import {
  CRON_JOBS,
  DAEMON_SETS,
  DEPLOYMENTS,
  HORIZONTAL_POD_AUTOSCALERS,
  JOBS,
  PERSISTENT_VOLUME_CLAIMS,
  POD_DISRUPTION_BUDGETS,
  PODS,
  REPLICA_SETS,
  RESOURCE_QUOTAS,
  STATEFUL_SETS,
  type Resource,
} from '../../../api/resources';
import { controllerOf } from '../../../api/owners';
import { isPodReady, isTerminal, isTerminating } from '../../../api/pods';
import { uidOf } from '../../../api/types';
import type { ApiObject, Job, PersistentVolume, Pod } from '../../../api/types';
import { qualifiedResource } from '../../../api/errors';
import { endOf } from '../job-support';
import type { Day } from './day';
import { isOfPeople, SHOP } from './workloads';

/** What is not as it was asked for, in words; nothing once the cluster has come to rest. */
export const unsettled = (day: Day): readonly string[] => {
  const found: string[] = [];
  const expectEqual = (what: string, is: unknown, should: unknown) => {
    if (JSON.stringify(is) !== JSON.stringify(should))
      found.push(`${what}: ${JSON.stringify(is)}, not ${JSON.stringify(should)}`);
  };
  const all = <T extends ApiObject>({ plural, group }: Resource<T>) =>
    day.world.store
      .current(qualifiedResource(plural, group))
      .filter(
        ({ metadata }) => metadata.namespace === SHOP,
      ) as readonly ApiObject[] as readonly T[];
  const pods = all(PODS);
  const podsOf = (owner: ApiObject) =>
    pods.filter((pod) => controllerOf(pod)?.uid === uidOf(owner) && !isTerminal(pod));
  const imagesOf = (own: readonly Pod[]) => [
    ...new Set(own.map(({ spec }) => spec.containers[0]?.image)),
  ];
  const expectPods = (owner: ApiObject, own: readonly Pod[], count: number, images: unknown) => {
    const what = `${owner.kind} ${owner.metadata.name}`;
    const ready = own.filter((pod) => isPodReady(pod) && !isTerminating(pod)).length;
    expectEqual(`${what}'s pods and those ready`, [own.length, ready], [count, count]);
    if (count > 0) expectEqual(`${what}'s images`, imagesOf(own), images);
  };
  const sets = all(REPLICA_SETS);

  for (const each of all(DEPLOYMENTS)) {
    const { replicas = 1, paused, template } = each.spec;
    const own = sets.filter((set) => controllerOf(set)?.uid === uidOf(each)).flatMap(podsOf);
    const images = paused === true ? imagesOf(own) : [template.spec?.containers[0]?.image];
    expectPods(each, own, replicas, images);
    const { availableReplicas = 0, observedGeneration } = each.status;
    expectEqual(
      `Deployment ${each.metadata.name}'s status`,
      [availableReplicas, observedGeneration],
      [replicas, each.metadata.generation],
    );
  }
  for (const each of sets) {
    const { replicas = 1, template } = each.spec;
    expectPods(each, podsOf(each), replicas, [template?.spec?.containers[0]?.image]);
  }
  for (const each of all(STATEFUL_SETS)) {
    const { replicas = 1, template } = each.spec;
    expectPods(each, podsOf(each), replicas, [template.spec?.containers[0]?.image]);
    expectEqual(
      `StatefulSet ${each.metadata.name}'s status`,
      [each.status.availableReplicas, each.status.updatedReplicas],
      [replicas, replicas],
    );
  }
  for (const each of all(DAEMON_SETS)) {
    const nodes = day.world.store.current('nodes').length;
    expectPods(each, podsOf(each), nodes, [each.spec.template.spec?.containers[0]?.image]);
    expectEqual(`DaemonSet's status`, each.status.numberAvailable, nodes);
  }
  const jobs = all(JOBS);
  const isHeldBack = ({ spec }: Job) => spec?.suspend === true || spec?.parallelism === 0;
  for (const each of jobs)
    if (!isHeldBack(each))
      expectEqual(`Job ${each.metadata.name}'s end`, endOf(each)?.type, 'Complete');
  for (const each of all(CRON_JOBS)) {
    const active = (each.status?.active ?? []).map(({ uid }) => uid);
    const held = jobs.filter((job) => active.includes(uidOf(job)) && isHeldBack(job));
    expectEqual(`CronJob ${each.metadata.name}'s active jobs`, active, held.map(uidOf));
  }
  for (const each of all(POD_DISRUPTION_BUDGETS)) {
    const web = all(DEPLOYMENTS).find(({ metadata }) => metadata.name === 'web');
    const { currentHealthy, expectedPods, disruptionsAllowed } = each.status ?? {};
    const replicas = web?.spec.replicas ?? 0;
    expectEqual(
      'the budget',
      { currentHealthy, expectedPods, disruptionsAllowed },
      { currentHealthy: replicas, expectedPods: replicas, disruptionsAllowed: 1 },
    );
  }
  for (const each of all(HORIZONTAL_POD_AUTOSCALERS)) {
    const auto = all(DEPLOYMENTS).find(({ metadata }) => metadata.name === 'auto');
    const load = day.world.loads.get('auto') ?? 0;
    const wanted = Math.min(4, Math.max(1, Math.ceil(load / 40)));
    const replicas = auto?.spec.replicas ?? 0;
    // Within the tolerance of a tenth the number stays.
    const isNear = Math.abs(load / (replicas * 40) - 1) < 0.11;
    if (!isNear) expectEqual('the autoscaler', replicas, wanted);
    expectEqual('what the autoscaler says', each.status?.currentReplicas, replicas);
  }
  for (const each of all(RESOURCE_QUOTAS)) {
    const count = pods.filter((pod) => !isTerminal(pod)).length;
    expectEqual('the quota', each.status?.used?.['pods'], String(count));
  }
  for (const each of all(PERSISTENT_VOLUME_CLAIMS))
    expectEqual(`claim ${each.metadata.name}`, each.status?.phase, 'Bound');
  return [...found, ...leaks(day)];
};

/** What nobody owns any more, or is on its way out and does not go. */
export const leaks = ({ world }: Day): readonly string[] => {
  const all = world.store.everything();
  const uids = new Set(all.map(([, object]) => uidOf(object)));
  return all.flatMap(([resource, object]) => {
    const { metadata } = object;
    const name = `${resource} ${metadata.namespace ?? ''}/${metadata.name}`;
    const owners = metadata.ownerReferences ?? [];
    if (metadata.deletionTimestamp !== undefined) return [`${name} does not go`];
    if (owners.length > 0 && !owners.some(({ uid }) => uids.has(uid)))
      return [`${name} has outlived its owners`];
    const job = controllerOf(object);
    const isHeld = metadata.finalizers?.includes('batch.kubernetes.io/job-tracking') === true;
    if (resource === 'pods' && isHeld && job === undefined) return [`${name} is held by nobody`];
    return [];
  });
};

/** What is left although everything that people made was deleted. */
export const remains = (day: Day): readonly string[] => {
  const { world } = day;
  const left = world.store
    .everything()
    .filter(([resource, { metadata }]) =>
      isOfPeople(resource === 'namespaces' ? metadata.name : metadata.namespace),
    )
    .map(([resource, { metadata }]) => `${resource} ${metadata.name} is left`);
  const bound = (world.store.current('persistentvolumes') as readonly PersistentVolume[])
    .filter(({ status }) => status?.phase === 'Bound')
    .map(({ metadata }) => `${metadata.name} is bound`);
  const machines = world.agents.flatMap((agent) => [
    ...agent
      .sandboxUids()
      .map((uid) => `${agent.name} (${agent.condition}) has the sandbox of ${uid}`),
    ...agent.volumeFolders().map((folder) => `${agent.name} has the folder ${folder}`),
  ]);
  return [...left, ...bound, ...machines, ...leaks(day)];
};
