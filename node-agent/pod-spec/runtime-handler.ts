import type { Pod, RuntimeClass } from '../../api/types';

/**
 * What RuntimeClasses may name as handlers here. There is one runtime; `runc` is what other nodes call
 * a plain container of the host's kernel, which is what it makes. Whoever asks for more, for a sandbox
 * or a machine of its own, must not run without.
 */
export const RUNTIME_HANDLERS: readonly string[] = ['dhow', 'runc'];

/** @throws when this node has no runtime for the pod's class, or there is no such class any more. */
export const checkRuntimeHandler = (
  { spec: { runtimeClassName = '' } }: Pod,
  runtimeClassOf: (name: string) => RuntimeClass | undefined,
): void => {
  if (runtimeClassName === '') return;
  const found = runtimeClassOf(runtimeClassName);
  if (found === undefined)
    throw new Error(`runtimeclass.node.k8s.io "${runtimeClassName}" not found`);
  if (RUNTIME_HANDLERS.includes(found.handler)) return;
  const known = RUNTIME_HANDLERS.map((name) => `"${name}"`).join(' and ');
  throw new Error(
    `failed to get sandbox runtime: no runtime for "${found.handler}" is configured; ` +
      `this node has ${known}`,
  );
};
