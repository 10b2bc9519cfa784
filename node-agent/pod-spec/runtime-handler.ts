import type { Pod, RuntimeClass } from '../../api/types';
import type { ContainerRuntime } from '../../runtime/container-runtime';

/** The pod's class names a handler that this node has not: no try will help until its agent has it. */
export class RuntimeHandlerMissingError extends Error {
  readonly reason = 'RuntimeHandlerMissing';

  constructor(handler: string, runtime: Handlers) {
    const known = runtime.handlers().map(({ name }) => `"${name}"`);
    const why = runtime.missingHandlers().find(({ name }) => name === handler)?.reason;
    super(
      `failed to get sandbox runtime: no runtime for "${handler}" is configured; ` +
        `this node has ${known.join(', ')}${why === undefined ? '' : ` (${handler}: ${why})`}`,
    );
    this.name = 'RuntimeHandlerMissingError';
  }
}

type Handlers = Pick<ContainerRuntime, 'handlers' | 'missingHandlers'>;

/**
 * What makes the pod's containers, by its class; undefined: the default. Whoever asks for more, for a
 * sandbox or a kernel of its own, must not run without.
 * @throws RuntimeHandlerMissingError, or when there is no such class any more
 */
export const runtimeHandlerOf = (
  { spec: { runtimeClassName = '' } }: Pod,
  runtimeClassOf: (name: string) => RuntimeClass | undefined,
  runtime: Handlers,
): string | undefined => {
  if (runtimeClassName === '') return undefined;
  const found = runtimeClassOf(runtimeClassName);
  if (found === undefined)
    throw new Error(`runtimeclass.node.k8s.io "${runtimeClassName}" not found`);
  const { handler } = found;
  if (runtime.handlers().some(({ name }) => name === handler)) return handler;
  throw new RuntimeHandlerMissingError(handler, runtime);
};
