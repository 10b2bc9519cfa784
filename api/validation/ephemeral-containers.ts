import { inspect } from 'node:util';
import { jsonEqual } from '../json-value';
import type { Pod, PodSpec } from '../types';
import { validateContainer, type ContainerContext } from './containers';
import { forbidden, notFoundAt, type FieldError } from './field-error';

export type EphemeralContainer = NonNullable<PodSpec['ephemeralContainers']>[number];

/** Containers that were added to a running pod. `context` knows the names of all others. */
export const validateEphemeralContainers = (
  containers: readonly EphemeralContainer[],
  field: string,
  context: ContainerContext,
): readonly FieldError[] => {
  const targets = new Set(context.names);
  return containers.flatMap((container, i) => {
    const at = `${field}[${i}]`;
    const { targetContainerName: target = '' } = container;
    return [
      ...validateContainer(container, at, context),
      ...(target === '' || targets.has(target)
        ? []
        : [notFoundAt(`${at}.targetContainerName`, target)]),
      ...Object.entries(container)
        .filter(([name, value]) => !ALLOWED.has(name) && !isEmpty(value))
        .map(([name]) => forbidden(`${at}.${name}`, NOT_FOR_THEM)),
      ...(container.volumeMounts ?? []).flatMap((mount, j) =>
        (['subPath', 'subPathExpr'] as const)
          .filter((name) => (mount[name] ?? '') !== '')
          .map((name) => forbidden(`${at}.volumeMounts[${j}].${name}`, NOT_FOR_THEM)),
      ),
    ];
  });
};

/** They are added, and never changed or taken away. */
export const validateEphemeralContainersKept = (pod: Pod, old: Pod): readonly FieldError[] => {
  const field = 'spec.ephemeralContainers';
  const byName = new Map(pod.spec.ephemeralContainers?.map((each) => [each.name, each]));
  return (old.spec.ephemeralContainers ?? []).flatMap((before) => {
    const after = byName.get(before.name);
    const what = `existing ephemeral containers "${before.name}" may not be`;
    if (after === undefined) return [forbidden(field, `${what} removed\n`)];
    if (jsonEqual(before, after)) return [];
    return [forbidden(field, `${what} changed\n${inspect(after, { depth: 4 })}`)];
  });
};

/** Nothing that others rely on: they come and go with whoever looks into a pod. */
const ALLOWED: ReadonlySet<string> = new Set([
  ...['name', 'targetContainerName', 'image', 'command', 'args', 'workingDir', 'envFrom', 'env'],
  ...['volumeMounts', 'volumeDevices', 'terminationMessagePath', 'terminationMessagePolicy'],
  ...['imagePullPolicy', 'securityContext', 'stdin', 'stdinOnce', 'tty'],
]);
const NOT_FOR_THEM = 'cannot be set for an Ephemeral Container';

const isEmpty = (value: unknown): boolean =>
  value === null ||
  value === '' ||
  value === false ||
  (typeof value === 'object' && Object.keys(value).length === 0);
