import { PODS, NODES, POD_DISRUPTION_BUDGETS, PERSISTENT_VOLUMES } from '../../../api/resources';
import {
  CSI_STORAGE_CAPACITIES,
  PERSISTENT_VOLUME_CLAIMS,
  STORAGE_CLASSES,
  type Resource,
} from '../../../api/resources';
import { convert } from '../../../api/schema/decode';
import type { CapturedOutcome } from '../../../api/scheduler-captures';
import type { LabelRequirement } from '../../../api/selectors';
import type { ApiObject } from '../../../api/types';
import { describeError } from '../../../lib/describe-error';
import { parseSchedulerConfiguration } from '../configuration/configuration';
import { podInfoOf, type PodInfo } from '../pod-info';
import { DEFAULT_PROFILES, Profiles } from '../profile';
import type { ReplayStep } from '../replay/replay';
import { Snapshot } from '../snapshot';
import type { PodVolumes } from '../volumes/pod-volumes';
import type { StorageFacts } from '../volumes/storage-facts';
import type { CaptureForm } from './format';
import { CaptureError } from './problem';

/** Decisions of a bundle, as they are taken again. */
export interface RestoredCapture {
  readonly dhowVersion: string;
  readonly seed: number;
  readonly profiles: Profiles;
  /** To go through once: the cluster changes from step to step. @throws CaptureError */
  readonly steps: Iterable<ReplayStep | undefined>;
}

/** @throws CaptureError */
export const restored = (form: CaptureForm): RestoredCapture => {
  const { dhowVersion, seed, configuration } = form;
  return { dhowVersion, seed, profiles: profilesOf(configuration), steps: stepsOf(form) };
};

const profilesOf = (configuration: string | undefined): Profiles =>
  configuration === undefined
    ? DEFAULT_PROFILES
    : at(
        'status.configuration',
        () => new Profiles(parseSchedulerConfiguration(configuration).profiles),
      );

function* stepsOf(form: CaptureForm): Generator<ReplayStep | undefined> {
  const selectors = new Map<string, readonly LabelRequirement[]>();
  const cluster = clusterOf(form, selectors);
  const { nodes, placements, nominations } = form.start;
  nodes.forEach((node, i) => cluster.setNode(objectAt(`status.start.nodes[${i}]`, NODES, node)));
  placements.forEach(({ pod, nodeName }, i) =>
    cluster.assume(podAt(`status.start.placements[${i}].pod`, pod), nodeName),
  );
  nominations.forEach(({ pod, nodeName }, i) =>
    cluster.nominate(podAt(`status.start.nominations[${i}].pod`, pod), nodeName),
  );
  for (const [i, step] of form.steps.entries()) {
    const field = `status.steps[${i}]`;
    if (step.kind === 'decision') {
      const info = podAt(`${field}.pod`, step.pod);
      selectors.set(info.uid, step.selector);
      const volumes = step.volumes && volumesAt(`${field}.volumes`, step.volumes);
      yield {
        decision: {
          info: volumes === undefined ? info : { ...info, volumes },
          record: { spec: step.spec, status: outcomeOf(step.status) },
        },
        cluster,
      };
    } else happens(cluster, step, field);
    yield undefined;
  }
}

type Step = CaptureForm['steps'][number];
type Decision = Extract<Step, { kind: 'decision' }>;

const outcomeOf = ({
  nodeName,
  margin,
  decidedBy,
  ...outcome
}: Decision['status']): CapturedOutcome => ({
  ...outcome,
  ...(nodeName === undefined ? {} : { nodeName }),
  ...(margin === undefined ? {} : { margin }),
  ...(decidedBy === undefined ? {} : { decidedBy }),
});

const happens = (cluster: Snapshot, step: Exclude<Step, Decision>, field: string): void => {
  if (step.kind === 'node') {
    if (step.node === undefined) cluster.removeNode(step.name);
    else cluster.setNode(objectAt(`${field}.node`, NODES, step.node));
    return;
  }
  const isPlacement = step.kind === 'placement';
  if (step.place === undefined) {
    if (isPlacement) cluster.removePod(step.uid);
    else cluster.endNomination(step.uid);
    return;
  }
  const info = podAt(`${field}.place.pod`, step.place.pod);
  if (isPlacement) cluster.assume(info, step.place.nodeName);
  else cluster.nominate(info, step.place.nodeName);
};

/** What there is beside nodes and pods. */
const clusterOf = (
  { namespaces, budgets, storage }: CaptureForm,
  selectors: ReadonlyMap<string, readonly LabelRequirement[]>,
): Snapshot => {
  const all = budgets.map((each, i) =>
    objectAt(`status.budgets[${i}]`, POD_DISRUPTION_BUDGETS, each),
  );
  const labelsOf = new Map(Object.entries(namespaces));
  return new Snapshot({
    namespaceLabels: (name) => labelsOf.get(name),
    budgetsIn: (namespace) => all.filter(({ metadata }) => metadata.namespace === namespace),
    selectorFor: ({ uid }) => selectors.get(uid) ?? [],
    storage: factsOf(storage),
  });
};

const factsOf = ({ limits, counted, leftovers }: CaptureForm['storage']): StorageFacts => {
  const limitsOn = new Map(
    Object.entries(limits).map(([node, each]) => [node, new Map(Object.entries(each))]),
  );
  const countedBy = new Map(Object.entries(counted));
  const left = new Map(Object.entries(leftovers));
  return {
    limitsOn: (node) => limitsOn.get(node) ?? NO_LIMITS,
    countedBy: (claim) => countedBy.get(claim),
    leftovers: () => left,
  };
};

const NO_LIMITS: ReadonlyMap<string, number> = new Map();

const volumesAt = (field: string, volumes: NonNullable<Decision['volumes']>): PodVolumes => {
  const claimAt = (path: string, value: unknown) =>
    objectAt(`${field}.${path}`, PERSISTENT_VOLUME_CLAIMS, value);
  const volumeAt = (path: string, value: unknown) =>
    objectAt(`${field}.${path}`, PERSISTENT_VOLUMES, value);
  const { problem, bound, delayed, taken } = volumes;
  return {
    ...(problem === undefined ? {} : { problem }),
    bound: bound.map(({ claim, volume }, i) => ({
      claim: claimAt(`bound[${i}].claim`, claim),
      volume: volume && volumeAt(`bound[${i}].volume`, volume),
    })),
    delayed: delayed.map(({ claim, storageClass, candidates, nodeName, capacities }, i) => ({
      claim: claimAt(`delayed[${i}].claim`, claim),
      storageClass: objectAt(`${field}.delayed[${i}].storageClass`, STORAGE_CLASSES, storageClass),
      candidates: candidates.map((each, j) => volumeAt(`delayed[${i}].candidates[${j}]`, each)),
      nodeName,
      ...(capacities === undefined
        ? {}
        : {
            capacities: capacities.map((each, j) =>
              objectAt(`${field}.delayed[${i}].capacities[${j}]`, CSI_STORAGE_CAPACITIES, each),
            ),
          }),
    })),
    taken: taken && claimAt('taken', taken),
  };
};

const podAt = (field: string, value: unknown): PodInfo => {
  const pod = objectAt(field, PODS, value);
  return at(field, () => podInfoOf(pod));
};

/** As the API would take it; it is under way, so that what upstream wants of a new one may be missing. */
const objectAt = <T extends ApiObject>(field: string, resource: Resource<T>, value: unknown): T =>
  at(field, () => {
    const { object } = convert<T>(resource, value, { fieldValidation: 'Strict' });
    if (typeof object.metadata.name !== 'string') throw new Error('metadata.name: is missing');
    return object;
  });

const at = <T>(field: string, make: () => T): T => {
  try {
    return make();
  } catch (error) {
    throw new CaptureError(`${field}: ${describeError(error)}`);
  }
};
