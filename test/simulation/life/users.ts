import { hasReason } from '../../../api/errors';
import {
  CRON_JOBS,
  DAEMON_SETS,
  DEPLOYMENTS,
  JOBS,
  NAMESPACES,
  NODES,
  PODS,
  REPLICA_SETS,
  RESOURCE_QUOTAS,
  STATEFUL_SETS,
  type Resource,
} from '../../../api/resources';
import { nameOf, type Job, type Pod } from '../../../api/types';
import { deploymentOf } from '../world';
import type { Day } from './day';
import { ANNEX, containersOf, jobOf, place, QUOTA_PODS, SHOP } from './workloads';

/** Something that a user does, or that befalls the cluster. */
export type Act = (day: Day) => Promise<void>;

/** What users do, each at random. */
export const USERS: Readonly<Record<string, Act>> = {
  async scale(day) {
    const [name, resource] = day.oneOf(SCALED)!;
    const spec = { replicas: 1 + day.pick(name === 'web' ? 6 : 3) };
    await tried(day.world.client.patch(resource, place(name), 'merge', { spec }));
  },
  async update(day) {
    await roll(day, day.oneOf(ROLLED)!, ++day.version);
  },
  async undo(day) {
    await roll(day, day.oneOf(ROLLED)!, 1 + day.pick(day.version));
  },
  async pause(day) {
    const spec = { paused: day.pick(2) === 0 };
    await tried(day.world.client.patch(DEPLOYMENTS, place('web'), 'merge', { spec }));
  },
  async remake(day) {
    const name = day.oneOf(['web', 'plain', 'db', 'agent', 'auto', 'forbid', 'replace']) ?? 'web';
    const { resource } = day.workloads[name]!;
    const propagationPolicy = day.oneOf(POLICIES) ?? 'Background';
    await tried(day.world.client.delete(resource, place(name), { propagationPolicy }));
    // Whoever comes back finds more or less of it gone.
    await day.pass(day.pick(40) * 250, 250);
    await make(day, name);
  },
  async job(day) {
    const completions = 1 + day.pick(6);
    const parallelism = 1 + day.pick(3);
    const mode = day.pick(2) === 0 ? { completionMode: 'Indexed' } : {};
    const replaces = day.pick(3) === 0 ? { podReplacementPolicy: 'Failed' } : {};
    const spec = { completions, parallelism, ...mode, ...replaces };
    await tried(day.world.client.create(JOBS, jobOf(`job-${++day.jobCount}`, spec)));
  },
  async changeJob(day) {
    const job = day.oneOf(jobsOf(day));
    if (job === undefined) return;
    const spec = day.pick(2) === 0 ? { suspend: day.pick(2) === 0 } : { parallelism: day.pick(4) };
    await tried(day.world.client.patch(JOBS, nameOf(job), 'merge', { spec }));
  },
  async deleteJob(day) {
    const job = day.oneOf(jobsOf(day));
    const propagationPolicy = day.oneOf(POLICIES) ?? 'Background';
    if (job !== undefined)
      await tried(day.world.client.delete(JOBS, nameOf(job), { propagationPolicy }));
  },
  async deletePod(day) {
    const pods = day.world.store.current('pods') as readonly Pod[];
    const pod = day.oneOf(pods.filter(({ metadata }) => metadata.namespace === SHOP));
    if (pod !== undefined) await tried(day.world.client.delete(PODS, nameOf(pod)));
  },
  async suspend(day) {
    const name = day.oneOf(['forbid', 'replace', 'local']) ?? 'local';
    const spec = { suspend: day.pick(2) === 0 };
    await tried(day.world.client.patch(CRON_JOBS, place(name), 'merge', { spec }));
  },
  async load(day) {
    day.world.loads.set('auto', day.pick(240));
  },
  async cordon(day) {
    await cordon(day, day.oneOf(nodesOf(day)), day.pick(2) === 0);
  },
  async drain(day) {
    const node = day.oneOf(nodesOf(day));
    if (node === undefined || day.draining.size > 0) return;
    await cordon(day, node, true);
    day.draining.add(node);
    await day.pass(4_000, 250);
    day.draining.clear();
    await cordon(day, node, false);
  },
  async quota(day) {
    const hard = { pods: String(day.pick(2) === 0 ? 8 : QUOTA_PODS) };
    await tried(
      day.world.client.patch(RESOURCE_QUOTAS, place('quota'), 'merge', { spec: { hard } }),
    );
  },
  async namespace(day) {
    const name = `${ANNEX}${++day.jobCount}`;
    const { client } = day.world;
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
    await tried(client.create(NAMESPACES, namespace));
    await day.pass(1_000, 250);
    await tried(client.create(DEPLOYMENTS, deploymentOf('a', 2, 1, name)));
    const job = jobOf('j', { completions: 2, parallelism: 2 });
    await tried(client.create(JOBS, { ...job, metadata: { name: 'j', namespace: name } }));
    await day.pass(day.pick(20) * 250, 250);
    await tried(client.delete(NAMESPACES, { namespace: '', name }));
  },
};

/** Makes a workload if it is not there. */
export const make = async (day: Day, name: string): Promise<void> => {
  const { resource, draft } = day.workloads[name]!;
  await tried(day.world.client.create(resource, draft));
};

export const cordon = async (
  day: Day,
  name: string | undefined,
  unschedulable: boolean,
): Promise<void> => {
  if (name === undefined) return;
  const body = { spec: { unschedulable } };
  await tried(day.world.client.patch(NODES, { namespace: '', name }, 'merge', body));
};

/** What a user asks for may be refused, or lost: that is nobody's fault. */
export const tried = async (call: Promise<unknown>): Promise<void> => {
  try {
    await call;
  } catch (error) {
    if (!hasReason(error, ...REFUSED)) throw error;
  }
};

export const nodesOf = ({ world }: Day): readonly string[] =>
  world.store.current('nodes').map(({ metadata }) => metadata.name);

const roll = async (
  day: Day,
  [name, resource]: readonly [name: string, resource: Resource],
  version: number,
): Promise<void> => {
  const spec = { template: { spec: { containers: containersOf(version) } } };
  await tried(day.world.client.patch(resource, place(name), 'strategic', { spec }));
};

export const rollWeb = (day: Day): Promise<void> => roll(day, ['web', DEPLOYMENTS], ++day.version);

const jobsOf = ({ world }: Day): readonly Job[] =>
  world.store.current('jobs.batch').filter(({ metadata }) => metadata.namespace === SHOP);

const SCALED: readonly (readonly [name: string, resource: Resource])[] = [
  ['web', DEPLOYMENTS],
  ['db', STATEFUL_SETS],
  ['plain', REPLICA_SETS],
];

const ROLLED: typeof SCALED = [
  ['web', DEPLOYMENTS],
  ['db', STATEFUL_SETS],
  ['auto', DEPLOYMENTS],
  ['solo', DEPLOYMENTS],
  ['agent', DAEMON_SETS],
];

const POLICIES = ['Background', 'Foreground', 'Orphan'] as const;

const REFUSED = [
  ...(['NotFound', 'AlreadyExists', 'Conflict', 'Forbidden', 'TooManyRequests'] as const),
  ...(['ServiceUnavailable', 'Timeout', 'InsufficientStorage', 'InternalError'] as const),
];
