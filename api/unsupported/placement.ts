import type { PodSpec } from '../types';
import { always, presentIn } from './words';

/** Where other pods are. Whoever demands something of it may get a node against it. */
export const unsupportedPlacement = (spec: PodSpec, field: string): readonly string[] => [
  ...(['podAffinity', 'podAntiAffinity'] as const).flatMap((name) =>
    presentIn(spec.affinity?.[name], AFFINITY, `${field}.affinity.${name}`),
  ),
  ...(spec.topologySpreadConstraints ?? []).map(
    ({ whenUnsatisfiable }, i) =>
      `${field}.topologySpreadConstraints[${i}]: ${NO_SPREAD}` +
      (whenUnsatisfiable === 'DoNotSchedule' ? AGAINST : ''),
  ),
];

const AGAINST = ', and may place the pod against it';
const NO_AFFINITY = 'has no effect: the scheduler does not know inter-pod affinity yet';
const NO_SPREAD = 'has no effect: the scheduler does not know topology spread yet';

const AFFINITY = {
  ...always(`${NO_AFFINITY}${AGAINST}`, 'requiredDuringSchedulingIgnoredDuringExecution'),
  ...always(NO_AFFINITY, 'preferredDuringSchedulingIgnoredDuringExecution'),
};
