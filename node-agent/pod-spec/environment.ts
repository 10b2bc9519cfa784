import { containersIn } from '../../api/pod-in';
import type { ConfigMap, Container, Pod, Secret } from '../../api/types';
import { expand } from './expansion';
import { fieldValue, resourceValue, type NodeView } from './field-refs';

/** Where values come from. */
export interface ObjectSource {
  secret(namespace: string, name: string): Secret | undefined;
  configMap(namespace: string, name: string): ConfigMap | undefined;
}

/** The container cannot be set up as its pod says; waiting reason CreateContainerConfigError. */
export class ContainerConfigError extends Error {
  override readonly name = 'ContainerConfigError';
}

type EnvVar = NonNullable<Container['env']>[number];
type EnvFrom = NonNullable<Container['envFrom']>[number];

/**
 * The variables of a container, in order: those that it inherits, envFrom, then env with `$(VAR)`
 * references to what came before. @throws ContainerConfigError when something it needs does not exist.
 */
export const environmentOf = (
  pod: Pod,
  container: Container,
  objects: ObjectSource,
  node: NodeView,
  inherited: ReadonlyMap<string, string> = new Map(),
): ReadonlyMap<string, string> => {
  const values = new Map(inherited);
  const namespace = pod.metadata.namespace ?? '';
  for (const source of container.envFrom ?? []) {
    for (const [key, value] of Object.entries(valuesFrom(source, namespace, objects)))
      values.set((source.prefix ?? '') + key, value);
  }
  for (const variable of container.env ?? []) {
    const value = valueOf(variable, pod, container, objects, node, values);
    if (value !== undefined) values.set(variable.name, value);
  }
  return values;
};

const valuesFrom = (
  { configMapRef, secretRef }: EnvFrom,
  namespace: string,
  objects: ObjectSource,
): Readonly<Record<string, string>> => {
  if (configMapRef !== undefined) {
    const { name = '', optional } = configMapRef;
    const map = objects.configMap(namespace, name);
    if (map !== undefined) return map.data ?? {};
    if (optional === true) return {};
    throw new ContainerConfigError(`configmap "${name}" not found`);
  }
  if (secretRef === undefined) return {};
  const { name = '', optional } = secretRef;
  const secret = objects.secret(namespace, name);
  if (secret === undefined) {
    if (optional === true) return {};
    throw new ContainerConfigError(`secret "${name}" not found`);
  }
  const entries = Object.entries(secret.data ?? {});
  return Object.fromEntries(entries.map(([key, value]) => [key, decode(value)]));
};

const valueOf = (
  { value, valueFrom }: EnvVar,
  pod: Pod,
  container: Container,
  objects: ObjectSource,
  node: NodeView,
  known: ReadonlyMap<string, string>,
): string | undefined => {
  if (valueFrom === undefined) return expand(value ?? '', known);
  const namespace = pod.metadata.namespace ?? '';
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef } = valueFrom;
  if (fieldRef !== undefined) return wrap(() => fieldValue(pod, fieldRef.fieldPath, node));
  if (resourceFieldRef !== undefined) {
    const { resource, divisor, containerName } = resourceFieldRef;
    const target = containerNamed(pod, containerName) ?? container;
    return wrap(() => resourceValue(pod, target, resource, divisor, node));
  }
  if (configMapKeyRef !== undefined) {
    const { name = '', key, optional } = configMapKeyRef;
    const map = objects.configMap(namespace, name);
    return keyOf('ConfigMap', 'configmap', namespace, name, key, map && (map.data ?? {}), optional);
  }
  if (secretKeyRef === undefined) {
    const [source = 'none'] = Object.keys(valueFrom);
    throw new ContainerConfigError(`a value from ${source} is not supported`);
  }
  const { name = '', key, optional } = secretKeyRef;
  const secret = objects.secret(namespace, name);
  const encoded = keyOf(
    'Secret',
    'secret',
    namespace,
    name,
    key,
    secret && (secret.data ?? {}),
    optional,
  );
  return encoded === undefined ? undefined : decode(encoded);
};

const keyOf = (
  kind: string,
  plain: string,
  namespace: string,
  name: string,
  key: string,
  data: Readonly<Record<string, string>> | undefined,
  optional: boolean | undefined,
): string | undefined => {
  const value = data?.[key];
  if (value !== undefined || optional === true) return value;
  throw new ContainerConfigError(
    data === undefined
      ? `${plain} "${name}" not found`
      : `couldn't find key ${key} in ${kind} ${namespace}/${name}`,
  );
};

const wrap = (work: () => string): string => {
  try {
    return work();
  } catch (error) {
    throw new ContainerConfigError((error as Error).message, { cause: error });
  }
};

export const containerNamed = (pod: Pod, name: string | undefined): Container | undefined =>
  containersIn(pod.spec)
    .map(([container]) => container)
    .find((container) => container.name === name);

const decode = (base64: string): string => Buffer.from(base64, 'base64').toString();
