import type { Tracing } from './tracing';

export interface TracingOptions {
  /** Of an OTLP/HTTP collector: `http://localhost:4318/v1/traces`. */
  readonly url: string;
  /** Of a million traces that begin here; of those that others began, all that they sample. */
  readonly samplingRatePerMillion?: number;
  /** What spans say they come from: `dhow-server`. */
  readonly service: string;
  /** Which one of several: the name of the node. */
  readonly instance: string;
  readonly version: string;
}

/** The library is loaded here and nowhere else: who does not trace does not pay for it. */
export const openTracing = async (options: TracingOptions): Promise<Tracing> => {
  const { createTracing } = await import('./open-telemetry.js');
  return createTracing(options);
};
