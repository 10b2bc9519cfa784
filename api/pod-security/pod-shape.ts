import { podPathOf } from '../pod-in';
import type { ApiObject } from '../types';
import { isJsonObject } from '../../lib/json';

/** What a standard looks at; fields are read with care, for a template may hold anything. */
export interface PodShape {
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: Fields;
  readonly volumes: readonly Fields[];
}

/** Why a pod does not keep to a standard. */
export interface Finding {
  readonly reason: string;
  readonly detail: string;
}

/** `minor` is that of the version of the standard. */
export type Check = (pod: PodShape, minor: number) => Finding | undefined;

type Fields = Readonly<Record<string, unknown>>;

interface ContainerShape extends Fields {
  readonly name: string;
  readonly ports?: readonly unknown[];
}

/** The pod, or the pod that a workload's template makes; undefined for other objects. */
export const podShapeOf = (object: ApiObject): PodShape | undefined => {
  const path = podPathOf(object);
  const pod = path === undefined ? undefined : fieldAt(object, ...path);
  const spec = fieldAt(pod, 'spec');
  if (!isJsonObject(spec)) return undefined;
  const annotations = fieldAt(pod, 'metadata', 'annotations');
  return {
    annotations: (isJsonObject(annotations) ? annotations : {}) as Record<string, string>,
    spec,
    volumes: listAt(spec, 'volumes'),
  };
};

/** Containers of every sort. */
export const containersOf = ({ spec }: PodShape): readonly ContainerShape[] =>
  ['initContainers', 'containers', 'ephemeralContainers'].flatMap(
    (list) => listAt(spec, list) as readonly ContainerShape[],
  );

/** What is at a path; nulls are as good as nothing. */
export const fieldAt = (value: unknown, ...path: readonly string[]): unknown => {
  let current = value;
  for (const step of path) {
    if (!isJsonObject(current)) return undefined;
    current = current[step];
  }
  return current ?? undefined;
};

export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** `container "a"`, `containers "a", "b"` */
export const quotedList = (noun: string, names: readonly string[]): string =>
  `${noun}${names.length === 1 ? '' : 's'} ${names.map((name) => JSON.stringify(name)).join(', ')}`;

/** `pod and container "a"` */
export const joinSetters = (setters: readonly string[]): string => setters.join(' and ');

/** The one thing to say, if there is anyone to say it of. */
export const some = (names: readonly string[], why: string): readonly string[] =>
  names.length === 0 ? [] : [why];

const listAt = (value: unknown, field: string): readonly Fields[] => {
  const list = fieldAt(value, field);
  return Array.isArray(list) ? list.filter(isJsonObject) : [];
};
