import type { DeepReadonly, Job, Pod } from '../../../api/types';
import type { DraftOf } from '../../../client/api-client';
import { podFromTemplate } from '../owned/pod-control';
import { failureVerdictOf } from './failure-policy';
import {
  COMPLETION_INDEX,
  FAILURE_COUNT,
  failureCountOf,
  IGNORED_FAILURE_COUNT,
  ignoredFailureCountOf,
  TRACKING_FINALIZER,
} from './job-pod';
import type { NewPod } from './plan';
import type { Wanted } from './wanted';

/** A pod of the job's template, which is held until its end is counted. */
export const podDraft = (job: Job, wanted: Wanted, pod: NewPod): DraftOf<Pod> => {
  const draft = podFromTemplate(job, job.spec?.template);
  const finalizers = [...new Set([...(draft.metadata.finalizers ?? []), TRACKING_FINALIZER])];
  const tracked = { ...draft, metadata: { ...draft.metadata, finalizers } };
  return pod.index === undefined
    ? tracked
    : indexed(tracked, job, pod.index, failureCounts(wanted, pod));
};

const indexed = (
  draft: DraftOf<Pod>,
  job: Job,
  index: number,
  failures: Readonly<Record<string, string>>,
): DraftOf<Pod> => {
  const mark = { [COMPLETION_INDEX]: String(index) };
  const { containers, initContainers } = draft.spec;
  return {
    ...draft,
    metadata: {
      ...draft.metadata,
      generateName: prefixOf(job.metadata.name, index),
      labels: { ...draft.metadata.labels, ...mark },
      annotations: { ...draft.metadata.annotations, ...mark, ...failures },
    },
    spec: {
      ...draft.spec,
      hostname: `${job.metadata.name}-${index}`,
      containers: containers.map(withIndex),
      ...(initContainers === undefined ? {} : { initContainers: initContainers.map(withIndex) }),
    },
  };
};

type Container = DeepReadonly<Pod['spec']['containers'][number]>;

/** What a container says of the variable itself stands. */
const withIndex = (container: Container): Container =>
  container.env?.some(({ name }) => name === INDEX_VARIABLE) === true
    ? container
    : { ...container, env: [...(container.env ?? []), INDEX_ENV] };

const INDEX_VARIABLE = 'JOB_COMPLETION_INDEX';
const INDEX_ENV = {
  name: INDEX_VARIABLE,
  valueFrom: { fieldRef: { fieldPath: `metadata.labels['${COMPLETION_INDEX}']` } },
};

/** The index stays in the name, however long that of the job. */
const prefixOf = (name: string, index: number): string => {
  const suffix = `-${index}-`;
  return name.slice(0, PREFIX_LENGTH_MAX - suffix.length) + suffix;
};

/** Longer prefixes are cut when a name is made of them. */
const PREFIX_LENGTH_MAX = 58;

/** Where each index has its own limit, a pod says how often it was tried before. */
const failureCounts = (
  { backoffLimitPerIndex, failurePolicy }: Wanted,
  { replaced }: NewPod,
): Readonly<Record<string, string>> => {
  if (backoffLimitPerIndex === undefined) return {};
  if (replaced === undefined) return { [FAILURE_COUNT]: '0' };
  const { isCounted } = failureVerdictOf(failurePolicy, replaced);
  const failures = failureCountOf(replaced) + (isCounted ? 1 : 0);
  const ignored = ignoredFailureCountOf(replaced) + (isCounted ? 0 : 1);
  return {
    [FAILURE_COUNT]: String(failures),
    ...(ignored === 0 ? {} : { [IGNORED_FAILURE_COUNT]: String(ignored) }),
  };
};
