import { JOB_KIND } from '../../../api/kinds/job';
import type { ApiObject } from '../../../api/types';
import { generatedLabels } from '../../../api/validation/job';
import { formatAge } from '../printing/ages';
import { AGE, CONTAINERS, IMAGES, NAME, printer, SELECTOR, text } from '../printing/columns';
import {
  fieldsAt,
  isFields,
  listAt,
  numberAt,
  textAt,
  valueAt,
  type MutableObject,
} from './mutable';
import { serveKind, WITH_SPEC, type Strategy } from './served-kind';

const STRATEGY: Strategy = {
  ...WITH_SPEC,
  prepareCreate: (job) => {
    job.status = {};
    if (valueAt(job, 'spec', 'manualSelector') !== true) generateSelector(job);
    const labels = fieldsAt(job, 'spec', 'template', 'metadata', 'labels');
    // As upstream's defaults: a job without labels has those of its pods.
    if (Object.keys(job.metadata.labels ?? {}).length === 0)
      job.metadata.labels = { ...(labels as Record<string, string>) };
  },
};

/** By what its pods are told from those of all other jobs. What the author said of it stays. */
const generateSelector = ({ metadata, spec }: MutableObject): void => {
  const template = spec?.['template'];
  if (spec === undefined || !isFields(template)) return;
  const uid = metadata.uid ?? '';
  const own = fieldsAt(template, 'metadata', 'labels');
  const labels = { ...generatedLabels(metadata.name, uid), ...own };
  template['metadata'] = { ...fieldsAt(template, 'metadata'), labels };
  const selector = fieldsAt(spec, 'selector');
  const matchLabels = {
    'batch.kubernetes.io/controller-uid': uid,
    ...fieldsAt(selector, 'matchLabels'),
  };
  spec['selector'] = { ...selector, matchLabels };
};

const hasCondition = (job: ApiObject, type: string): boolean =>
  listAt(job, 'status', 'conditions').some(
    (each) => textAt(each, 'type') === type && textAt(each, 'status') === 'True',
  );

const statusOf = (job: ApiObject): string => {
  const ended = ['Complete', 'Failed'].find((type) => hasCondition(job, type));
  if (ended !== undefined) return ended;
  if (job.metadata.deletionTimestamp !== undefined) return 'Terminating';
  return (
    ['Suspended', 'FailureTarget', 'SuccessCriteriaMet'].find((type) => hasCondition(job, type)) ??
    'Running'
  );
};

const completions = (job: ApiObject): string => {
  const done = numberAt(job, 'status', 'succeeded');
  const wanted = textAt(job, 'spec', 'completions');
  if (wanted !== '') return `${done}/${wanted}`;
  const parallelism = numberAt(job, 'spec', 'parallelism');
  return parallelism > 1 ? `${done}/1 of ${parallelism}` : `${done}/1`;
};

const duration = (job: ApiObject, nowMs: number): string => {
  const start = Date.parse(textAt(job, 'status', 'startTime'));
  const end = Date.parse(textAt(job, 'status', 'completionTime'));
  if (Number.isNaN(start)) return '';
  return formatAge((Number.isNaN(end) ? nowMs : end) - start);
};

const PRINTER = printer(
  NAME,
  text('Status', statusOf),
  text('Completions', completions),
  text('Duration', duration),
  AGE,
  CONTAINERS,
  IMAGES,
  SELECTOR,
);

export const JOB = serveKind(JOB_KIND, { strategy: STRATEGY, printer: PRINTER });
