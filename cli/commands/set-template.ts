import { containersIn, podIn } from '../../api/pod-in';
import type { ApiObject, Container } from '../../api/types';
import { changeEach, type Change, type ChangeOptions } from '../changing';
import type { CliContext } from '../context';
import { UsageError } from '../usage-error';

/** What is written of one container, by its name: merged into it by the server. */
export interface ContainerPatch {
  readonly [field: string]: unknown;
}

/** The containers of an object, with the list that each is in. @throws UsageError for what has none */
export const containersOf = (
  object: ApiObject,
): readonly (readonly [container: Container, list: string])[] => {
  const pod = podIn(object);
  if (pod === undefined) {
    throw new UsageError(
      `${object.kind.toLowerCase()} "${object.metadata.name}" has no containers`,
    );
  }
  return containersIn({ ...pod.spec, ephemeralContainers: [] }).map(([container, place]) => [
    container,
    place.replace(/\[.*$/, ''),
  ]);
};

/** `nginx`, `app-*`, `*`: does a container go by this? */
export const isNamed = ({ name }: Container, pattern: string): boolean =>
  new RegExp(`^${pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`).test(name);

/** Changes containers of pods and of pod templates. An object of which nothing changes is not told of. */
export const changeContainers = (
  context: CliContext,
  targets: readonly string[],
  options: ChangeOptions,
  told: string,
  patchOf: (container: Container, object: ApiObject) => ContainerPatch | undefined,
): Promise<void> =>
  changeEach(context, targets, options, ({ object }): Change => {
    const lists: Record<string, ContainerPatch[]> = {};
    for (const [container, list] of containersOf(object)) {
      const patch = patchOf(container, object);
      if (patch !== undefined) (lists[list] ??= []).push({ name: container.name, ...patch });
    }
    if (Object.keys(lists).length === 0) return { told };
    const body = object.kind === 'Pod' ? { spec: lists } : { spec: { template: { spec: lists } } };
    return { patch: { type: 'strategic', body }, told };
  });
