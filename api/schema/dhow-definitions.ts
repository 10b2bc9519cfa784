import { SCHEDULING_GROUP } from '../decisions';
import { ENCRYPTION_GROUP } from '../encryption-keys';
import { SERVERS_GROUP } from '../servers';
import { count, flag, list, map, number, object, text } from './describe';
import type { Definitions, Schema } from './schema';

const META = '#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.';
const PREFIX = 'dev.dhow.scheduling.v1.';
const KEYS_PREFIX = 'dev.dhow.encryption.v1.';
const SERVERS_PREFIX = 'dev.dhow.cluster.v1.';

const ref = (name: string, description: string): Schema => ({
  description,
  allOf: [{ $ref: name.startsWith('#') ? name : `#/components/schemas/${PREFIX}${name}` }],
});

const kind = (
  name: string,
  description: string,
  properties: Record<string, Schema>,
  group = SCHEDULING_GROUP,
): Schema => ({
  ...object(description, {
    apiVersion: text(
      'APIVersion defines the versioned schema of this representation of an object.',
    ),
    kind: text('Kind is the REST resource this object represents.'),
    metadata: ref(`${META}ObjectMeta`, "Standard object's metadata."),
    ...properties,
  }),
  'x-kubernetes-group-version-kind': [{ group, kind: name, version: 'v1' }],
});

const listKind = (name: string, prefix = PREFIX, group = SCHEDULING_GROUP): Schema => ({
  ...object(`A list of ${name} objects.`, {
    apiVersion: text(
      'APIVersion defines the versioned schema of this representation of an object.',
    ),
    items: list('The objects.', { allOf: [{ $ref: `#/components/schemas/${prefix}${name}` }] }),
    kind: text('Kind is the REST resource this object represents.'),
    metadata: ref(`${META}ListMeta`, 'Standard list metadata.'),
  }),
  'x-kubernetes-group-version-kind': [{ group, kind: `${name}List`, version: 'v1' }],
});

const decisionStatus = {
  decidedBy: text(
    'The plugin whose score separates winner and runner-up most; "tie" when the scores are equal.',
  ),
  latencyMicros: number('How long the attempt took, in microseconds.'),
  margin: number("Total score of the winner less the runner-up's."),
  message: text('The message of the PodScheduled condition and of the event.'),
  nodeName: text('The node the pod was placed on.'),
  nodesConsidered: count('How many nodes were looked at: all of them.'),
  nodesFeasible: count('How many nodes could take the pod.'),
  outcome: text('Scheduled, Unschedulable or Error.'),
  reasons: map(
    'First failing reason to number of nodes. With nodesFeasible it adds up to nodesConsidered.',
    { type: 'integer', format: 'int32', default: 0 },
  ),
  suggestion: text('For a pending pod: the smallest change that would make it fit.'),
  top: list('The best nodes, at most three, best first.', {
    allOf: [{ $ref: `#/components/schemas/${PREFIX}RankedNode` }],
  }),
};

/** Definitions of Dhow's own kinds, in the same form as Kubernetes'. */
export const DHOW_DEFINITIONS: Definitions = {
  [`${PREFIX}SchedulingDecision`]: kind(
    'SchedulingDecision',
    'One attempt of the scheduler to place one pod, scheduled or not.',
    {
      spec: ref('SchedulingDecisionSpec', 'What was to be placed, and why now.'),
      status: ref('SchedulingDecisionStatus', 'What came of it.'),
    },
  ),
  [`${PREFIX}SchedulingDecisionList`]: listKind('SchedulingDecision'),
  [`${PREFIX}SchedulingDecisionSpec`]: object('What was to be placed, and why now.', {
    attempt: count('1 for the first attempt of this pod.'),
    podName: text('The pod.'),
    podUID: text('The identity of the pod.'),
    time: text('When the attempt began: RFC 3339 with microseconds.'),
    trigger: text('What made the scheduler try: PodAdded, NodeAdded, PodDeleted, ...'),
  }),
  [`${PREFIX}SchedulingDecisionStatus`]: object('The outcome of an attempt.', decisionStatus),
  [`${PREFIX}RankedNode`]: object('A node with what each plugin gave it.', {
    node: text('The node.'),
    scores: map('Weighted score per plugin.', { type: 'number', format: 'double' }),
    total: number('The sum of the scores.'),
  }),
  [`${PREFIX}PodExplanation`]: kind(
    'PodExplanation',
    'Why each node takes or refuses a pod, computed from the live state. It has the name of its pod.',
    {
      spec: ref('PodExplanationSpec', 'The pod in question.'),
      status: ref('PodExplanationStatus', 'The explanation.'),
    },
  ),
  [`${PREFIX}PodExplanationList`]: listKind('PodExplanation'),
  [`${PREFIX}PodExplanationSpec`]: object('The pod in question.', { podName: text('The pod.') }),
  [`${PREFIX}PodExplanationStatus`]: object('The explanation.', {
    attempts: count('How often the scheduler has tried.'),
    lastDecision: ref('LastDecision', 'The newest attempt.'),
    nodeName: text('Where the pod runs.'),
    nodes: list('Every node with its reasons.', {
      allOf: [{ $ref: `#/components/schemas/${PREFIX}NodeExplanation` }],
    }),
    queue: text('Where the pod waits: active, backoff or unschedulable.'),
    retryAt: text('When the next attempt is due, while in backoff.'),
    suggestion: text('The smallest change that would make the pod fit.'),
    waitingFor: list('What would wake the pod.', { type: 'string', default: '' }),
  }),
  [`${PREFIX}LastDecision`]: object('The newest attempt.', {
    ...decisionStatus,
    time: text('When the attempt began.'),
  }),
  [`${PREFIX}NodeExplanation`]: object('Why one node takes or refuses the pod.', {
    fits: flag('Whether the node could take the pod now.'),
    node: text('The node.'),
    reasons: list('Every reason against the node.', {
      allOf: [{ $ref: `#/components/schemas/${PREFIX}NodeReason` }],
    }),
    scores: map('Weighted score per plugin, on nodes that fit.', {
      type: 'number',
      format: 'double',
    }),
    total: number('The sum of the scores.'),
  }),
  [`${PREFIX}NodeReason`]: object('One reason against a node.', {
    detail: text('What exactly: the taint, the pod that holds the port, how much is lacking.'),
    plugin: text('The plugin that refuses.'),
    reason: text('The reason as messages count it.'),
  }),
  [`${KEYS_PREFIX}EncryptionKey`]: kind(
    'EncryptionKey',
    'A key that encrypts Secrets in the store, without the key itself.',
    {
      status: object('What it is used for.', {
        current: flag('Whether what is written now is encrypted with it.'),
        secrets: count('How many Secrets are encrypted with it.'),
      }),
    },
    ENCRYPTION_GROUP,
  ),
  [`${KEYS_PREFIX}EncryptionKeyList`]: listKind('EncryptionKey', KEYS_PREFIX, ENCRYPTION_GROUP),
  [`${SERVERS_PREFIX}Server`]: kind(
    'Server',
    'A server of this cluster that runs, named by its identity.',
    {
      status: object('What it says of itself.', {
        agents: text('Where agents connect to it.'),
        api: text('Where its API is.'),
        hostName: text('The name of its machine.'),
        leads: flag('Whether it runs the scheduler and the controllers.'),
        nodes: count('How many nodes are connected to it.'),
        version: text('Its release.'),
      }),
    },
    SERVERS_GROUP,
  ),
  [`${SERVERS_PREFIX}ServerList`]: listKind('Server', SERVERS_PREFIX, SERVERS_GROUP),
};
