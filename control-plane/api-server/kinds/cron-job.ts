import { CRON_JOB_KIND } from '../../../api/kinds/cron-job';
import type { ApiObject } from '../../../api/types';
import { formatLabelSelector } from '../../../api/selectors';
import { ageOf } from '../printing/ages';
import { AGE, count, NAME, orNone, printer, text, wide } from '../printing/columns';
import { listAt, textAt, valueAt } from './mutable';
import { serveKind, WITH_SPEC } from './served-kind';

const JOB = ['spec', 'jobTemplate', 'spec'];

const containers = (cronJob: ApiObject, field: string): string =>
  listAt(cronJob, ...JOB, 'template', 'spec', 'containers')
    .map((container) => textAt(container, field))
    .join(',');

const PRINTER = printer(
  NAME,
  text('Schedule', (cronJob) => textAt(cronJob, 'spec', 'schedule')),
  text('Timezone', (cronJob) => orNone(textAt(cronJob, 'spec', 'timeZone'))),
  text('Suspend', (cronJob) => {
    const isSuspended = valueAt(cronJob, 'spec', 'suspend');
    if (isSuspended === undefined) return '<unset>';
    return isSuspended === true ? 'True' : 'False';
  }),
  count('Active', (cronJob) => listAt(cronJob, 'status', 'active').length),
  text('Last Schedule', (cronJob, nowMs) => {
    const last = textAt(cronJob, 'status', 'lastScheduleTime');
    return last === '' ? '<none>' : ageOf(last, nowMs);
  }),
  AGE,
  wide('Containers', (cronJob) => containers(cronJob, 'name')),
  wide('Images', (cronJob) => containers(cronJob, 'image')),
  wide('Selector', (cronJob) =>
    formatLabelSelector(valueAt(cronJob, ...JOB, 'selector') as object | undefined),
  ),
);

export const CRON_JOB = serveKind(CRON_JOB_KIND, { strategy: WITH_SPEC, printer: PRINTER });
