import { all, kept, shown, tests, type Effects } from './effect';
import { OBJECT, STATUS } from './metadata';

const FIELDS = tests('test/simulation/deployment-fields.test.ts');
const ROLLING = tests('control-plane/controllers/deployment/rolling.test.ts');
const SCHEME = tests('api/scheme.test.ts');
const PLAN = tests('control-plane/controllers/replica-set-plan.test.ts');

const DAEMONS = tests('test/simulation/daemon-set.test.ts');
const DAEMON_PLAN = tests('control-plane/controllers/daemon-set/plan.test.ts');

const HEALS = 'test/simulation/control-plane.test.ts: heals to exactly what is wanted';
const SELECTOR = shown(
  SCHEME('need a selector that matches their pods'),
  SCHEME('keep their selector'),
);
const READY = shown(FIELDS('counts a pod as available only once it has been ready'));

const SCALED = shown('control-plane/api-server/rest/rest-api.test.ts: scales through /scale');

const CONTROLLER = tests('test/simulation/replication-controller.test.ts');
const CONTROLS = CONTROLLER('keeps as many pods as it should');

const STATEFUL = tests('test/simulation/stateful-set.test.ts');
const STATEFUL_PLAN = tests('control-plane/controllers/stateful-set/plan.test.ts');
const IDENTITY = tests('control-plane/controllers/stateful-set/identity.test.ts');
const REVISIONS = tests('control-plane/controllers/owned/revisions.test.ts');

const IN_ORDER = STATEFUL('makes pods in order, with a claim each before them');
const UPDATED = STATEFUL('rolls a new template out down to the partition');
const RETAINED = shown(STATEFUL('keeps claims whenDeleted %s, whenScaled %s'));

export const WORKLOAD_EFFECTS: Effects = {
  Deployment: { ...OBJECT, spec: shown(HEALS), status: STATUS },
  DeploymentSpec: {
    minReadySeconds: READY,
    paused: shown(FIELDS('rolls nothing out while a deployment is paused')),
    progressDeadlineSeconds: shown(FIELDS('says that a rollout makes no progress')),
    replicas: shown(HEALS),
    revisionHistoryLimit: shown(FIELDS('keeps as many old replica sets as')),
    selector: SELECTOR,
    strategy: shown(FIELDS('ends all old pods before the first new one')),
    template: shown(HEALS),
  },
  DeploymentStrategy: {
    type: shown(FIELDS('ends all old pods before the first new one')),
    rollingUpdate: shown(ROLLING('rolls any deployment to its new set within the surge')),
  },
  RollingUpdateDeployment: all(
    ['maxSurge', 'maxUnavailable'],
    shown(
      ROLLING('of %i replicas, surge %s and unavailable %s'),
      ROLLING('never adds beyond the surge nor takes an available pod too many'),
    ),
  ),
  ReplicaSet: { ...OBJECT, spec: shown(HEALS), status: STATUS },
  ReplicaSetSpec: {
    minReadySeconds: READY,
    replicas: shown(PLAN('lands on the desired count from any state')),
    selector: SELECTOR,
    template: shown(HEALS),
  },
  ReplicationController: { ...OBJECT, spec: shown(CONTROLS), status: STATUS },
  PodTemplate: { ...OBJECT, template: kept('it is for clients to make pods of') },
  ReplicationControllerSpec: {
    minReadySeconds: shown(CONTROLLER('counts a pod as available only once')),
    replicas: shown(CONTROLS),
    selector: shown(CONTROLLER('takes over what its selector finds')),
    template: shown(CONTROLS),
  },
  StatefulSet: { ...OBJECT, spec: shown(IN_ORDER), status: STATUS },
  StatefulSetSpec: {
    minReadySeconds: shown(STATEFUL('goes on only once a pod has been ready for minReadySeconds')),
    ordinals: shown(STATEFUL('goes up from ordinals.start')),
    persistentVolumeClaimRetentionPolicy: RETAINED,
    podManagementPolicy: shown(STATEFUL('makes all at once when it is parallel')),
    replicas: shown(IN_ORDER),
    revisionHistoryLimit: shown(STATEFUL('keeps as many revisions as revisionHistoryLimit says')),
    selector: shown(STATEFUL('adopts pods and revisions that an earlier set')),
    serviceName: shown(IDENTITY('gives a pod its name, its place, its host name')),
    template: shown(IN_ORDER),
    updateStrategy: shown(UPDATED),
    volumeClaimTemplates: shown(IN_ORDER),
  },
  StatefulSetOrdinals: { start: shown(STATEFUL('goes up from ordinals.start')) },
  StatefulSetUpdateStrategy: {
    type: shown(STATEFUL('leaves it to people to delete pods with OnDelete')),
    rollingUpdate: shown(UPDATED),
  },
  RollingUpdateStatefulSetStrategy: {
    maxUnavailable: shown(STATEFUL_PLAN('replaces as many at a time as maxUnavailable lets it')),
    partition: shown(UPDATED),
  },
  StatefulSetPersistentVolumeClaimRetentionPolicy: all(['whenDeleted', 'whenScaled'], RETAINED),
  ControllerRevision: {
    ...OBJECT,
    data: shown(
      'api/validation/controller-revision.test.ts: keeps its data once it is made',
      REVISIONS('holds a template, and gives it back'),
    ),
    revision: shown(REVISIONS('uses an older equal revision again, under the next number')),
  },
  DaemonSet: {
    ...OBJECT,
    spec: shown(DAEMONS('has one pod on every node at last')),
    status: STATUS,
  },
  DaemonSetSpec: {
    minReadySeconds: shown(DAEMONS('counts a pod as available only once it has been ready')),
    revisionHistoryLimit: shown(DAEMONS('keeps as many old templates as it should')),
    selector: SELECTOR,
    template: shown(DAEMONS('has one pod on every node at last')),
    updateStrategy: shown(DAEMONS('is updated a node at a time')),
  },
  DaemonSetUpdateStrategy: {
    type: shown(DAEMONS('is updated by whoever deletes its pods, when it says so')),
    rollingUpdate: shown(DAEMONS('is updated a node at a time')),
  },
  RollingUpdateDaemonSet: all(
    ['maxSurge', 'maxUnavailable'],
    shown(
      DAEMON_PLAN('of %s unavailable and %s more on %i nodes'),
      DAEMON_PLAN('within its limits at every step, from any state'),
    ),
  ),
  PodTemplateSpec: {
    metadata: kept('labels and annotations go to the pods; the rest is stored, as upstream'),
    spec: shown(HEALS),
  },
  Scale: { ...OBJECT, spec: SCALED, status: STATUS },
  ScaleSpec: { replicas: SCALED },
};
