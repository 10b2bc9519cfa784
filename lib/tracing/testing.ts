import { ExportResultCode } from '@opentelemetry/core';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import { OpenTelemetryTracing } from './open-telemetry';
import type { Tracing } from './tracing';

/** Tracing whose spans stay in memory: `ended` closes it and gives those that have ended. */
export const testTracing = (
  samplingRatePerMillion = 1_000_000,
): { readonly tracing: Tracing; readonly ended: () => Promise<readonly ReadableSpan[]> } => {
  const spans: ReadableSpan[] = [];
  const exporter: SpanExporter = {
    export: (batch, done) => {
      spans.push(...batch);
      done({ code: ExportResultCode.SUCCESS });
    },
    shutdown: async () => undefined,
  };
  const tracing = new OpenTelemetryTracing({ ...TEST_TRACING, samplingRatePerMillion }, exporter);
  return {
    tracing,
    ended: async () => {
      await tracing[Symbol.asyncDispose]();
      return spans;
    },
  };
};

/** Name → name of the span that it is part of; `''`: of none among these. */
export const parentsOf = (spans: readonly ReadableSpan[]): Readonly<Record<string, string>> =>
  Object.fromEntries(
    spans.map(({ name, parentSpanContext }) => [
      name,
      spans.find((each) => each.spanContext().spanId === parentSpanContext?.spanId)?.name ?? '',
    ]),
  );

export const TEST_TRACING = {
  url: 'http://localhost:4318/v1/traces',
  service: 'test',
  instance: 'one',
  version: '0.0.0',
};
