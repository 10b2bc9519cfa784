import type { HorizontalPodAutoscaler } from '../types';

/** Metrics that nobody here has: the autoscaler says so in its conditions as well, each time it looks. */
export const unsupportedInAutoscaler = ({ spec }: HorizontalPodAutoscaler): readonly string[] =>
  (spec?.metrics ?? []).flatMap((metric, i) => {
    const field = `spec.metrics[${i}]`;
    const { type, resource, containerResource } = metric;
    const why = UNSERVED[type];
    if (why !== undefined) return [`${field}.${type.toLowerCase()}: ${why}`];
    const name = resource?.name ?? containerResource?.name ?? '';
    if (name === '' || MEASURED.has(name)) return [];
    const source = resource === undefined ? 'containerResource' : 'resource';
    return [`${field}.${source}.name: ${name} is not measured; nothing is scaled by it`];
  });

const CUSTOM = 'there is no API of custom metrics; nothing is scaled by it';
const UNSERVED: Readonly<Record<string, string | undefined>> = {
  Pods: CUSTOM,
  Object: CUSTOM,
  External: 'there is no API of external metrics; nothing is scaled by it',
};
const MEASURED: ReadonlySet<string> = new Set(['cpu', 'memory']);
