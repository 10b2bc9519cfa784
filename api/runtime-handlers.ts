import type { Node, Pod } from './types';

/**
 * On a pod that has a RuntimeClass: the handler of the class, as it was when the pod was made. Handlers of
 * classes do not change, so that whoever places the pod need not look for the class.
 */
export const RUNTIME_HANDLER_ANNOTATION = 'dhow.dev/runtime-handler';

/** The handler that a node must have for the pod; `''`: any will do. */
export const runtimeHandlerOf = ({ metadata, spec }: Pod): string =>
  (spec.runtimeClassName ?? '') === ''
    ? ''
    : (metadata.annotations?.[RUNTIME_HANDLER_ANNOTATION] ?? '');

/** Those that the node says it has, without the default's empty name. Undefined: it does not say. */
export const runtimeHandlersOf = ({ status }: Node): readonly string[] | undefined =>
  status.runtimeHandlers?.flatMap(({ name = '' }) => (name === '' ? [] : [name]));
