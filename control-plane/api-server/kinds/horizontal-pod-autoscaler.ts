import { HORIZONTAL_POD_AUTOSCALER_KIND } from '../../../api/kinds/horizontal-pod-autoscaler';
import type { ApiObject } from '../../../api/types';
import { AGE, count, NAME, orNone, printer, text } from '../printing/columns';
import { fieldsAt, listAt, numberAt, textAt } from './mutable';
import { serveKind, WITH_SPEC, type Strategy } from './served-kind';

const STRATEGY: Strategy = {
  ...WITH_SPEC,
  hasGeneration: false,
  prepareCreate: (autoscaler) => {
    autoscaler.status = { currentMetrics: null, desiredReplicas: 0 };
  },
};

const METRICS_SHOWN = 2;
const UNKNOWN = '<unknown>';

const metricText = (metric: unknown, status: unknown): string => {
  const type = textAt(metric, 'type');
  const source = type.charAt(0).toLowerCase() + type.slice(1);
  const target = fieldsAt(metric, source, 'target');
  const current = fieldsAt(status, source, 'current');
  const average = textAt(target, 'averageValue');
  const now = (field: string): string => textAt(current, field) || UNKNOWN;
  if (source === 'pods') return `${now('averageValue')}/${average}`;
  if (source === 'external' || source === 'object')
    return average === ''
      ? `${now('value')}/${textAt(target, 'value')}`
      : `${now('averageValue')}/${average} (avg)`;
  const name = textAt(metric, source, 'name');
  if (average !== '') return `${name}: ${now('averageValue')}/${average}`;
  const percent = textAt(current, 'averageUtilization');
  const wanted = textAt(target, 'averageUtilization');
  return `${name}: ${percent === '' ? UNKNOWN : `${percent}%`}/${wanted === '' ? '<auto>' : `${wanted}%`}`;
};

const targets = (autoscaler: ApiObject): string => {
  const metrics = listAt(autoscaler, 'spec', 'metrics');
  const statuses = listAt(autoscaler, 'status', 'currentMetrics');
  const shown = metrics
    .slice(0, METRICS_SHOWN)
    .map((metric, i) => metricText(metric, statuses[i]))
    .join(', ');
  return metrics.length > METRICS_SHOWN
    ? `${shown} + ${metrics.length - METRICS_SHOWN} more...`
    : orNone(shown);
};

const PRINTER = printer(
  NAME,
  text('Reference', (autoscaler) => {
    const { kind, name } = fieldsAt(autoscaler, 'spec', 'scaleTargetRef');
    return `${textAt({ kind }, 'kind')}/${textAt({ name }, 'name')}`;
  }),
  text('Targets', targets),
  text('MinPods', (autoscaler) => textAt(autoscaler, 'spec', 'minReplicas') || '<unset>'),
  count('MaxPods', (autoscaler) => numberAt(autoscaler, 'spec', 'maxReplicas')),
  count('Replicas', (autoscaler) => numberAt(autoscaler, 'status', 'currentReplicas')),
  AGE,
);

export const HORIZONTAL_POD_AUTOSCALER = serveKind(HORIZONTAL_POD_AUTOSCALER_KIND, {
  strategy: STRATEGY,
  printer: PRINTER,
});
