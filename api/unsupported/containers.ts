import type { Container } from '../types';
import { always, IGNORED, presentIn, type Rules } from './words';

export const unsupportedInContainer = (container: Container, field: string): readonly string[] => [
  ...presentIn(container.resources, RESOURCES, `${field}.resources`),
  ...(container.env ?? []).flatMap(({ valueFrom }, i) =>
    presentIn(valueFrom, ENV_SOURCES, `${field}.env[${i}].valueFrom`),
  ),
  ...(['postStart', 'preStop'] as const).flatMap((hook) =>
    presentIn(container.lifecycle?.[hook], HOOKS, `${field}.lifecycle.${hook}`),
  ),
];

const RESOURCES: Rules = {
  claims: { why: IGNORED, when: (value) => Array.isArray(value) && value.length > 0 },
};
const ENV_SOURCES = always('not supported by Dhow yet; the container will not start', 'fileKeyRef');
const HOOKS = always('no kind of lifecycle hook; it will fail', 'tcpSocket');
