import { all, kept, refused, shown, tests, warned, type Effects } from './effect';
import { OBJECT, STATUS } from './metadata';

const ADMISSION = tests('node-agent/plan/admission.test.ts');
const FIELDS = tests('node-agent/containers/container-fields.test.ts');
const SANDBOX = tests('node-agent/containers/pod-sandbox.test.ts');
const SPEC = tests('node-agent/containers/container-spec.test.ts');
const UPDATES = tests('node-agent/pods/pod-updates.test.ts');
const WORKER = tests('node-agent/pods/pod-worker.test.ts');
const QUEUE = tests('control-plane/scheduler/queue.test.ts');
const PRIORITY = tests('control-plane/api-server/admission/priority.test.ts');
const EVICTION = tests('test/simulation/eviction.test.ts');
const RUNTIME_CLASS = tests('control-plane/api-server/admission/runtime-class.test.ts');
const PODS = tests('api/pods.test.ts');
const SCORES = tests('control-plane/scheduler/plugins/scores.test.ts');

const NAMES = shown(FIELDS('names the pod and resolves names for it as it says'));
const DNS = tests('node-agent/containers/pod-dns.test.ts');
const DNS_CONFIG = shown(DNS('adds what the pod says to what its policy gives, each once'));
const ACCOUNT = shown(
  'control-plane/api-server/auth/tokens.test.ts: ends with the pod that it is bound to',
  FIELDS('takes variables from all that they can come from'),
);
const SHARED = shown(SANDBOX('gives a pod the namespaces of its node'));
const DOMAINS = tests('control-plane/scheduler/plugins/domains.test.ts');
const AFFINITY = shown(
  DOMAINS('lets a pod in exactly where the words of its terms, and of others, do'),
);
const PREFERENCE = shown(DOMAINS('prefers by the weights of both sides, from 0 to 100'));
const SPREAD = shown(
  DOMAINS('lets a pod in exactly where the words of its constraints do'),
  DOMAINS('prefers emptier domains where it may not insist'),
);
const NODE_AFFINITY = shown(
  PODS('matches node affinity'),
  ADMISSION('refuses a pod whose selector or required affinity it does not meet'),
);
const USER = shown(FIELDS('runs as the user of the container before that of the pod'));

export const POD_EFFECTS: Effects = {
  Pod: {
    ...OBJECT,
    spec: shown(WORKER('runs a pod and tells its story in events')),
    status: STATUS,
  },
  PodSpec: {
    activeDeadlineSeconds: shown(WORKER('fails a pod at its deadline')),
    affinity: NODE_AFFINITY,
    automountServiceAccountToken: shown(
      'control-plane/api-server/admission/service-account.test.ts: mounts the token of its account into a pod',
    ),
    containers: shown(WORKER('runs a pod and tells its story in events')),
    ...all(['hostname', 'subdomain'], NAMES),
    dnsConfig: DNS_CONFIG,
    dnsPolicy: shown(DNS('goes by the policy')),
    enableServiceLinks: shown(
      'node-agent/pod-spec/service-variables.test.ts: names the API alone where a pod wants no links',
    ),
    // Only of a pod that is there: through its subresource.
    ephemeralContainers: {
      ...refused([{ name: 'e', image: 'x' }]),
      ...shown(UPDATES('runs once, beside the container that it looks into')),
    },
    hostAliases: shown(SPEC('writes hosts and resolv.conf')),
    hostIPC: SHARED,
    hostNetwork: SHARED,
    hostPID: shown(FIELDS('gives a container the rights that it asks for, and no others')),
    hostUsers: { ...refused(false), ...kept('true is what all pods have') },
    hostnameOverride: shown(SANDBOX('calls the host by the name that overrides all others')),
    imagePullSecrets: shown(UPDATES('pulls at once when the missing pull secret comes')),
    initContainers: shown(WORKER('runs init containers in order, keeps sidecars, and completes')),
    nodeName: shown(
      'control-plane/scheduler/explanations.test.ts: say so when the node that a pod names does',
    ),
    nodeSelector: NODE_AFFINITY,
    os: shown(ADMISSION('refuses a pod for another system')),
    overhead: shown(
      RUNTIME_CLASS('gives a pod what its class says of it'),
      PODS('adds overhead and counts extended resources'),
    ),
    preemptionPolicy: shown(PRIORITY('gives a pod the priority of its class')),
    priority: shown(QUEUE('hands out the highest priority first, then the earliest')),
    priorityClassName: shown(PRIORITY('gives a pod the priority of its class')),
    readinessGates: shown(UPDATES('is ready only once its readiness gates are open')),
    resourceClaims: warned([{ name: 'c', resourceClaimName: 'c' }]),
    resources: shown(
      'api/pod-level-resources.test.ts: stands in place of what its containers ask for',
      SPEC('gives a pod what it asks for itself, and its containers no more'),
    ),
    restartPolicy: shown(
      WORKER('fails the pod when an init container fails and nothing may restart'),
      WORKER('restarts at once, then after 10, 20, 40 s'),
    ),
    runtimeClassName: shown(
      RUNTIME_CLASS('gives a pod what its class says of it'),
      SANDBOX('makes none for a class whose runtime the node has not'),
    ),
    schedulerName: shown(
      'control-plane/scheduler/scheduler.test.ts: leaves alone pods of other schedulers',
    ),
    schedulingGates: shown(QUEUE('holds gated pods until the gates are lifted')),
    schedulingGroup: warned({ podGroupName: 'g' }),
    securityContext: USER,
    ...all(['serviceAccount', 'serviceAccountName'], ACCOUNT),
    setHostnameAsFQDN: shown(SANDBOX('calls the host by its full name where it is asked to')),
    shareProcessNamespace: shown(
      'test/integration/node-agent.test.ts: shows containers of a pod each other’s processes',
    ),
    terminationGracePeriodSeconds: shown(
      WORKER('kills what ignores SIGTERM when its grace is over, then vanishes'),
    ),
    tolerations: shown(PODS('toleration %j tolerates')),
    topologySpreadConstraints: SPREAD,
    volumes: shown('node-agent/volumes/volumes.test.ts: bounds memory volumes, shares disk ones'),
  },
  PodSecurityContext: {
    appArmorProfile: {
      ...refused({ type: 'RuntimeDefault' }, { type: 'Localhost', localhostProfile: 'p' }),
      ...kept('Unconfined is what all containers are'),
    },
    fsGroup: shown('node-agent/volumes/volumes.test.ts: gives volumes to the group of the pod'),
    fsGroupChangePolicy: {
      ...warned('OnRootMismatch'),
      ...kept('Always is what is done to volumes that are made for the pod'),
    },
    ...all(['runAsGroup', 'runAsUser'], USER),
    runAsNonRoot: shown(SPEC('refuses root where the pod forbids it')),
    seLinuxChangePolicy: warned('Recursive', 'MountOption'),
    seLinuxOptions: refused({ level: 's0' }, { type: 't' }, { user: 'u' }, { role: 'r' }),
    seccompProfile: shown(FIELDS('filters system calls by the profile of the container')),
    supplementalGroups: shown(SPEC('refuses root where the pod forbids it')),
    supplementalGroupsPolicy: {
      ...refused('Strict'),
      ...kept('Merge is what is done: the image’s groups stay'),
    },
    sysctls: shown(SANDBOX('gives a pod the namespaces of its node, and kernel parameters')),
    windowsOptions: refused(
      { hostProcess: true },
      { runAsUserName: 'u' },
      { gmsaCredentialSpec: 's' },
      { gmsaCredentialSpecName: 's' },
    ),
  },
  SeccompProfile: all(
    ['type', 'localhostProfile'],
    shown(FIELDS('filters system calls by the profile of the container')),
  ),
  Sysctl: all(['name', 'value'], SHARED),
  PodDNSConfig: all(['nameservers', 'searches', 'options'], DNS_CONFIG),
  PodDNSConfigOption: all(['name', 'value'], DNS_CONFIG),
  HostAlias: all(['hostnames', 'ip'], shown(SPEC('writes hosts and resolv.conf'))),
  LocalObjectReference: {
    name: shown('control-plane/nodes/assignments.test.ts: finds every way in which a pod names'),
  },
  PodOS: { name: shown(ADMISSION('refuses a pod for another system')) },
  PodReadinessGate: {
    conditionType: shown(UPDATES('is ready only once its readiness gates are open')),
  },
  PodSchedulingGate: {
    name: shown('control-plane/scheduler/explanations.test.ts: name the gate that holds a pod'),
  },
  Affinity: { nodeAffinity: NODE_AFFINITY, podAffinity: AFFINITY, podAntiAffinity: AFFINITY },
  ...Object.fromEntries(
    ['PodAffinity', 'PodAntiAffinity'].map((name) => [
      name,
      {
        requiredDuringSchedulingIgnoredDuringExecution: AFFINITY,
        preferredDuringSchedulingIgnoredDuringExecution: PREFERENCE,
      },
    ]),
  ),
  PodAffinityTerm: all(
    [
      ...['labelSelector', 'matchLabelKeys', 'mismatchLabelKeys'],
      ...['namespaceSelector', 'namespaces', 'topologyKey'],
    ],
    AFFINITY,
  ),
  WeightedPodAffinityTerm: all(['podAffinityTerm', 'weight'], PREFERENCE),
  TopologySpreadConstraint: all(
    [
      ...['labelSelector', 'matchLabelKeys', 'maxSkew', 'minDomains', 'nodeAffinityPolicy'],
      ...['nodeTaintsPolicy', 'topologyKey', 'whenUnsatisfiable'],
    ],
    SPREAD,
  ),
  NodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: NODE_AFFINITY,
    preferredDuringSchedulingIgnoredDuringExecution: shown(
      SCORES('TaintToleration and NodeAffinity are weighed by 3 and 2'),
    ),
  },
  PreferredSchedulingTerm: all(
    ['preference', 'weight'],
    shown(SCORES('TaintToleration and NodeAffinity are weighed by 3 and 2')),
  ),
  NodeSelector: { nodeSelectorTerms: NODE_AFFINITY },
  NodeSelectorTerm: all(['matchExpressions', 'matchFields'], NODE_AFFINITY),
  NodeSelectorRequirement: all(['key', 'operator', 'values'], NODE_AFFINITY),
  Toleration: {
    ...all(['effect', 'key', 'operator', 'value'], shown(PODS('toleration %j tolerates'))),
    tolerationSeconds: shown(EVICTION('evicts a pod when it has tolerated a taint for as long')),
  },
};
