import { defineKind } from '../../../api/kinds';
import { NODE_METRICS, POD_METRICS, type ResourceUsage } from '../../../api/resource-metrics';
import { bytesOf, formatBytes, formatCpuMillis, cpuMillisOf } from '../../../api/quantity';
import type { ApiObject } from '../../../api/types';
import { NAME, printer, text } from '../printing/columns';
import { listAt, textAt } from './mutable';
import { serveKind, type ServedKind } from './served-kind';

const usagesIn = (object: ApiObject): readonly ResourceUsage[] => {
  const { usage } = object as { readonly usage?: ResourceUsage };
  if (usage !== undefined) return [usage];
  return listAt(object, 'containers').map((each) => (each as { usage: ResourceUsage }).usage);
};

const total = (object: ApiObject, amount: (usage: ResourceUsage) => number): number =>
  usagesIn(object).reduce((sum, usage) => sum + amount(usage), 0);

/** As metrics-server shows them. */
const PRINTER = printer(
  NAME,
  text('cpu', (object) => formatCpuMillis(total(object, ({ cpu }) => cpuMillisOf(cpu)))),
  text('memory', (object) => formatBytes(total(object, ({ memory }) => bytesOf(memory)))),
  text('Window', (object) => textAt(object, 'window')),
);

const DRAFT = {
  singular: '',
  verbs: ['get', 'list'],
  validateCreate: () => [],
  validateUpdate: () => [],
};

export const NODE_METRICS_KIND: ServedKind = serveKind(defineKind(NODE_METRICS, DRAFT), {
  printer: PRINTER,
});
export const POD_METRICS_KIND: ServedKind = serveKind(defineKind(POD_METRICS, DRAFT), {
  printer: PRINTER,
});
