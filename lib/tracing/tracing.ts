import type { TraceContext } from './traceparent';
import type { ObjectTraces } from './object-traces';

export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

export interface SpanOptions {
  readonly attributes?: SpanAttributes;
  /** On the wall clock, when it began before now. */
  readonly startMs?: number;
}

/** One piece of work that is being traced. Disposing of it ends it, once; until then it is told nowhere. */
export interface Span extends Disposable {
  readonly context: TraceContext;
  set(attributes: SpanAttributes): void;
  /** It did not come to what it was for. */
  fail(message: string): void;
  child(name: string, options?: SpanOptions): Span;
}

export interface RequestSpanOptions extends SpanOptions {
  /** What the caller says it is part of. */
  readonly caller?: TraceContext;
  /** The span goes on the caller's trace; otherwise it only links to it. */
  readonly isTrusted: boolean;
}

/**
 * Where spans begin. Components hold `Tracing | undefined`: undefined is off, and costs no more than
 * being looked at. Only what is sampled has a `Span`, so that the same holds for all the rest.
 */
export interface Tracing extends AsyncDisposable {
  /** Undefined when it is not sampled. */
  request(name: string, options: RequestSpanOptions): Span | undefined;
  /** A part of what goes on elsewhere, which is sampled there. */
  child(parent: TraceContext, name: string, options?: SpanOptions): Span;
  /** Which spans the lives of pods hang on, by uid. */
  readonly pods: ObjectTraces;
  /** What was exported and what was lost, in the text format of Prometheus. */
  lines(): readonly string[];
}

/** A span of the pod's life; undefined where it is not traced. */
export const podSpan = (
  tracing: Tracing | undefined,
  uid: string | undefined,
  name: string,
  options?: () => SpanOptions,
): Span | undefined => {
  if (tracing === undefined || uid === undefined) return undefined;
  const parent = tracing.pods.of(uid);
  return parent && tracing.child(parent, name, options?.());
};

/** The work, which has begun: the span ends with it, and tells how it went. */
export const spanning = <T>(span: Span | undefined, work: Promise<T>): Promise<T> =>
  span === undefined ? work : ending(span, work);

const ending = async <T>(span: Span, work: Promise<T>): Promise<T> => {
  using ended = span;
  try {
    return await work;
  } catch (error) {
    ended.fail(error instanceof Error ? error.message : String(error));
    throw error;
  }
};
