import type { Job, Pod } from '../../../api/types';
import { COMPLETION_INDEX, TRACKING_FINALIZER } from './job-pod';

/** A job as it is stored, for tests of what is decided about it. */
export const jobWith = (spec: object, status: object = {}): Job => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: 'j', namespace: 'default', uid: 'job' },
  spec: { template: { spec: { restartPolicy: 'Never', containers: [] } }, ...spec },
  status,
});

export interface PodSketch {
  readonly phase?: string;
  readonly index?: number;
  readonly isTracked?: boolean;
  readonly isDeleted?: boolean;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly status?: object;
}

/** A pod of that job. */
export const podWith = (uid: string, sketch: PodSketch = {}): Pod => {
  const { phase = 'Running', index, isTracked = true, isDeleted = false } = sketch;
  const mark = index === undefined ? {} : { [COMPLETION_INDEX]: String(index) };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...{ name: uid, namespace: 'default', uid, annotations: { ...mark, ...sketch.annotations } },
      ...(isTracked ? { finalizers: [TRACKING_FINALIZER] } : {}),
      ...(isDeleted ? { deletionTimestamp: '2030-01-01T00:00:00Z' } : {}),
    },
    spec: { containers: [{ name: 'main', image: 'app:1' }] },
    status: { phase, ...sketch.status },
  };
};

/** With the exit code of its container. */
export const failedPod = (uid: string, exitCode: number, sketch: PodSketch = {}): Pod =>
  podWith(uid, {
    ...sketch,
    phase: 'Failed',
    status: { containerStatuses: [{ name: 'main', state: { terminated: { exitCode } } }] },
  });
