import type {
  CronJob,
  DaemonSet,
  PodDisruptionBudget,
  ReplicationController,
} from '../../api/types';
import { describeBudget, describeCronJob, describeDaemonSet, describeReplicas } from './workloads';

/* As recorded of kubectl. */

const NOTHING = { events: [], pods: [], nowMs: Date.parse('2030-01-01T00:00:05Z') };
const template = (name: string, image: string) => ({ spec: { containers: [{ name, image }] } });

it('describes a pod disruption budget', () => {
  const budget = {
    ...{ apiVersion: 'policy/v1', kind: 'PodDisruptionBudget' },
    metadata: { name: 'web', namespace: 'default' },
    spec: { minAvailable: 1, selector: { matchLabels: { app: 'web' } } },
    status: { disruptionsAllowed: 4, currentHealthy: 5, desiredHealthy: 1, expectedPods: 5 },
  } as PodDisruptionBudget;
  expect(describeBudget(budget, NOTHING)).toBe(`\
Name:           web
Namespace:      default
Min available:  1
Selector:       app=web
Status:
    Allowed disruptions:  4
    Current:              5
    Desired:              1
    Total:                5
Events:                   <none>
`);
});

it('describes a cron job', () => {
  const cronJob = {
    ...{ apiVersion: 'batch/v1', kind: 'CronJob' },
    metadata: { name: 'cj', namespace: 'default' },
    spec: {
      ...{ schedule: '*/5 * * * *', concurrencyPolicy: 'Forbid', suspend: false },
      ...{ successfulJobsHistoryLimit: 3, failedJobsHistoryLimit: 1 },
      jobTemplate: {
        spec: {
          template: { spec: { containers: [{ name: 'c', image: 'busybox', args: ['date'] }] } },
        },
      },
    },
    status: {},
  } as CronJob;
  expect(describeCronJob(cronJob, NOTHING)).toBe(`\
Name:                          cj
Namespace:                     default
Labels:                        <none>
Annotations:                   <none>
Schedule:                      */5 * * * *
Concurrency Policy:            Forbid
Suspend:                       False
Successful Job History Limit:  3
Failed Job History Limit:      1
Starting Deadline Seconds:     <unset>
Selector:                      <unset>
Parallelism:                   <unset>
Completions:                   <unset>
Pod Template:
  Labels:  <none>
  Containers:
   c:
    Image:      busybox
    Port:       <none>
    Host Port:  <none>
    Args:
      date
    Environment:     <none>
    Mounts:          <none>
  Volumes:           <none>
  Node-Selectors:    <none>
  Tolerations:       <none>
Last Schedule Time:  <unset>
Active Jobs:         <none>
Events:              <none>
`);
});

it('describes a daemon set, with the pods that are its own and what happened', () => {
  const set = {
    ...{ apiVersion: 'apps/v1', kind: 'DaemonSet' },
    metadata: {
      ...{ name: 'agent', namespace: 'default', uid: 'u' },
      annotations: { 'deprecated.daemonset.template.generation': '1' },
    },
    spec: {
      selector: { matchLabels: { app: 'agent' } },
      template: { metadata: { labels: { app: 'agent' } }, ...template('a', 'agent:1') },
    },
    status: {
      ...{ desiredNumberScheduled: 3, currentNumberScheduled: 3, updatedNumberScheduled: 3 },
      ...{ numberAvailable: 3, numberMisscheduled: 0, numberReady: 3 },
    },
  } as unknown as DaemonSet;
  const pod = (uid: string) => ({
    ...{ apiVersion: 'v1', kind: 'Pod', spec: { containers: [] }, status: { phase: 'Running' } },
    metadata: {
      name: 'p',
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'agent', uid, controller: true },
      ],
    },
  });
  const event = {
    ...{ apiVersion: 'v1', kind: 'Event', metadata: { name: 'e' }, involvedObject: {} },
    ...{ type: 'Normal', reason: 'SuccessfulCreate', message: 'Created pod: agent-4fmrh' },
    ...{ lastTimestamp: '2030-01-01T00:00:04Z', source: { component: 'daemonset-controller' } },
  };
  const around = { ...NOTHING, pods: [pod('u'), pod('u'), pod('other')], events: [event] };
  expect(describeDaemonSet(set, around)).toBe(`\
Name:           agent
Namespace:      default
Selector:       app=agent
Node-Selector:  <none>
Labels:         <none>
Annotations:    deprecated.daemonset.template.generation: 1
Desired Number of Nodes Scheduled: 3
Current Number of Nodes Scheduled: 3
Number of Nodes Scheduled with Up-to-date Pods: 3
Number of Nodes Scheduled with Available Pods: 3
Number of Nodes Misscheduled: 0
Pods Status:  2 Running / 0 Waiting / 0 Succeeded / 0 Failed
Pod Template:
  Labels:  app=agent
  Containers:
   a:
    Image:         agent:1
    Port:          <none>
    Host Port:     <none>
    Environment:   <none>
    Mounts:        <none>
  Volumes:         <none>
  Node-Selectors:  <none>
  Tolerations:     <none>
Events:
  Type    Reason            Age   From                  Message
  ----    ------            ----  ----                  -------
  Normal  SuccessfulCreate  1s    daemonset-controller  Created pod: agent-4fmrh
`);
});

it('describes a replication controller, and what keeps it from its pods', () => {
  const controller = {
    ...{ apiVersion: 'v1', kind: 'ReplicationController' },
    metadata: { name: 'old', namespace: 'default', labels: { app: 'old' } },
    spec: { replicas: 2, selector: { app: 'old' }, template: template('c', 'app:1') },
    status: {
      replicas: 1,
      conditions: [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate' }],
    },
  } as unknown as ReplicationController;
  const text = describeReplicas(controller, NOTHING);
  expect(text.slice(0, text.indexOf('Pod Template'))).toBe(`\
Name:         old
Namespace:    default
Selector:     app=old
Labels:       app=old
Annotations:  <none>
Replicas:     1 current / 2 desired
Pods Status:  0 Running / 0 Waiting / 0 Succeeded / 0 Failed
`);
  expect(text.slice(text.indexOf('Conditions'))).toBe(`\
Conditions:
  Type             Status  Reason
  ----             ------  ------
  ReplicaFailure   True    FailedCreate
Events:            <none>
`);
});
