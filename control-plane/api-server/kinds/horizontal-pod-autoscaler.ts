import { autoscalerV1Of, autoscalerV2Of } from '../../../api/autoscaler/versions';
import {
  HORIZONTAL_POD_AUTOSCALER_KIND,
  HORIZONTAL_POD_AUTOSCALER_V1_KIND,
} from '../../../api/kinds/horizontal-pod-autoscaler';
import { apiVersionOf, HORIZONTAL_POD_AUTOSCALERS } from '../../../api/resources';
import type { ApiObject } from '../../../api/types';
import { AGE, count, NAME, orNone, printer, text } from '../printing/columns';
import { become, copyOf, fieldsAt, listAt, numberAt, textAt, type MutableObject } from './mutable';
import { presentedBy } from './presented';
import { serveKind, WITH_SPEC, type ServedKind, type Strategy } from './served-kind';

const emptyStatus = () => ({ currentMetrics: null, desiredReplicas: 0 });

const STRATEGY: Strategy = {
  ...WITH_SPEC,
  hasGeneration: false,
  prepareCreate: (autoscaler) => {
    autoscaler.status = emptyStatus();
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

/** By `apiVersion`: the same fields are in other places. */
const versions = new Map<string, ServedKind>();

export const HORIZONTAL_POD_AUTOSCALER: ServedKind = {
  ...serveKind(HORIZONTAL_POD_AUTOSCALER_KIND, { strategy: STRATEGY, printer: PRINTER }),
  convertedFrom: autoscalerV2Of,
  versions,
};

/** Annotations carry parts of spec and status: each goes only through what may write it. */
const inV1 = (object: MutableObject, change: (whole: MutableObject) => void): void => {
  const whole = copyOf(autoscalerV2Of(object));
  change(whole);
  become(object, copyOf(autoscalerV1Of(whole)));
};

const STRATEGY_V1: Strategy = {
  ...STRATEGY,
  prepareCreate: (autoscaler) => {
    inV1(autoscaler, (whole) => {
      whole.status = emptyStatus();
    });
  },
  prepareUpdate: (autoscaler, old) => {
    inV1(autoscaler, (whole) => {
      whole.status = { ...autoscalerV2Of(old).status };
    });
  },
  preparePart: (autoscaler, old) => {
    inV1(autoscaler, (whole) => {
      whole.spec = { ...autoscalerV2Of(old).spec };
    });
  },
};

export const HORIZONTAL_POD_AUTOSCALER_V1: ServedKind = {
  ...serveKind(HORIZONTAL_POD_AUTOSCALER_V1_KIND, {
    strategy: STRATEGY_V1,
    printer: { ...PRINTER, cells: (object, nowMs) => PRINTER.cells(autoscalerV2Of(object), nowMs) },
  }),
  storedAs: HORIZONTAL_POD_AUTOSCALERS,
  present: presentedBy(autoscalerV1Of),
  toStored: autoscalerV2Of,
  convertedFrom: autoscalerV1Of,
  versions,
};

for (const kind of [HORIZONTAL_POD_AUTOSCALER, HORIZONTAL_POD_AUTOSCALER_V1])
  versions.set(apiVersionOf(kind.resource), kind);
