import { controllerOf } from '../../api/owners';
import type { Job, Pod } from '../../api/types';

/** A job of small pods, which may fail as often as they like. */
export const jobOf = (name: string, spec: object = {}, pod: object = {}): Job => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name, namespace: 'default' },
  spec: { backoffLimit: 1000, ...spec, template: templateOf(pod) },
});

export const templateOf = (pod: object = {}) => ({
  spec: {
    restartPolicy: 'Never',
    containers: [
      { name: 'main', image: 'app:1', resources: { requests: { cpu: '50m', memory: '8Mi' } } },
    ],
    ...pod,
  },
});

export const podsOf = (pods: readonly Pod[], job: string): readonly Pod[] =>
  pods.filter((pod) => controllerOf(pod)?.name === job);

/** The condition by which the job has ended. */
export const endOf = ({ status }: Job) =>
  status?.conditions?.find(
    (condition) => condition.status === 'True' && /^(Complete|Failed)$/.test(condition.type),
  );

/** Which of an indexed job's pods it is. */
export const indexOf = ({ metadata }: Pod): number =>
  Number(metadata.annotations?.['batch.kubernetes.io/job-completion-index'] ?? -1);
