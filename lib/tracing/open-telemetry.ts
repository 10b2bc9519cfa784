import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Context,
  type Span as OtelSpan,
  type SpanContext,
  type SpanOptions as OtelSpanOptions,
  type Tracer,
} from '@opentelemetry/api';
import { ExportResultCode, type ExportResult } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
  type ReadableSpan,
  type SpanExporter,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace';
import { systemClock } from '../clock';
import { metric } from '../metrics-text';
import { briefConnections } from './brief-connections';
import { ObjectTraces } from './object-traces';
import type { TracingOptions } from './open-tracing';
import type { TraceContext } from './traceparent';
import type { RequestSpanOptions, Span, SpanAttributes, SpanOptions, Tracing } from './tracing';

/** Loads the library, which `openTracing` does only when tracing is on. */
export const createTracing = (options: TracingOptions): Tracing =>
  new OpenTelemetryTracing(
    options,
    new OTLPTraceExporter({
      url: options.url,
      timeoutMillis: EXPORT_LIMIT_MS,
      httpAgentOptions: (protocol) => briefConnections(protocol, EXPORT_LIMIT_MS, systemClock),
      concurrencyLimit: QUEUE_MAX / BATCH_MAX,
    }),
  );

/** Spans by OpenTelemetry's SDK, to any exporter. It registers nothing that is global. */
export class OpenTelemetryTracing implements Tracing {
  readonly pods = new ObjectTraces();
  private readonly queue: CountingQueue;
  private readonly provider: TracerProvider;
  private readonly tracer: Tracer;

  constructor(
    { service, instance, version, samplingRatePerMillion = 0 }: TracingOptions,
    exporter: SpanExporter,
  ) {
    this.queue = new CountingQueue(exporter);
    const rate = samplingRatePerMillion / MILLION;
    this.provider = new TracerProvider({
      resource: resourceFromAttributes({
        'service.name': service,
        'service.version': version,
        'service.instance.id': instance,
      }),
      sampler: new ParentBasedSampler({
        root: rate === 0 ? new AlwaysOffSampler() : new TraceIdRatioBasedSampler(rate),
      }),
      spanLimits: { attributeValueLengthLimit: TEXT_MAX, attributeCountLimit: 32 },
      spanProcessors: [this.queue],
    });
    this.tracer = this.provider.getTracer(service, version);
  }

  request(name: string, { caller, isTrusted, ...options }: RequestSpanOptions): Span | undefined {
    const remote = caller && remoteOf(caller);
    const span = this.tracer.startSpan(
      name,
      {
        ...optionsOf(options),
        kind: SpanKind.SERVER,
        links: remote === undefined || isTrusted ? [] : [{ context: remote }],
      },
      remote !== undefined && isTrusted ? trace.setSpanContext(ROOT_CONTEXT, remote) : ROOT_CONTEXT,
    );
    return span.isRecording() ? new StartedSpan(this.tracer, span) : undefined;
  }

  child(parent: TraceContext, name: string, options: SpanOptions = {}): Span {
    const within = trace.setSpanContext(ROOT_CONTEXT, remoteOf(parent));
    return new StartedSpan(this.tracer, this.tracer.startSpan(name, optionsOf(options), within));
  }

  lines(): readonly string[] {
    const { exportedCount, droppedCount } = this.queue;
    return [
      ...metric('dhow_tracing_spans_exported_total', 'counter', 'Spans that a collector took.', [
        ['', exportedCount],
      ]),
      ...metric(
        'dhow_tracing_spans_dropped_total',
        'counter',
        'Spans that were lost because the queue was full or the collector did not take them.',
        [['', droppedCount]],
      ),
    ];
  }

  /** Sends what waits, but not for longer than one export may take. */
  async [Symbol.asyncDispose](): Promise<void> {
    // What cannot be sent any more is lost, as it would be at any other time.
    await this.provider.shutdown().catch(() => undefined);
  }
}

class StartedSpan implements Span {
  readonly context: TraceContext;

  constructor(
    private readonly tracer: Tracer,
    private readonly span: OtelSpan,
  ) {
    const { traceId, spanId, traceFlags } = span.spanContext();
    this.context = { traceId, spanId, isSampled: (traceFlags & TraceFlags.SAMPLED) !== 0 };
  }

  set(attributes: SpanAttributes): void {
    this.span.setAttributes(bounded(attributes));
  }

  fail(message: string): void {
    this.span.setStatus({ code: SpanStatusCode.ERROR, message: message.slice(0, TEXT_MAX) });
  }

  child(name: string, options: SpanOptions = {}): Span {
    const within: Context = trace.setSpan(ROOT_CONTEXT, this.span);
    return new StartedSpan(this.tracer, this.tracer.startSpan(name, optionsOf(options), within));
  }

  [Symbol.dispose](): void {
    if (this.span.isRecording()) this.span.end();
  }
}

/** The library's own queue drops in silence: this one counts, and holds no more. */
class CountingQueue implements SpanProcessor {
  exportedCount = 0;
  droppedCount = 0;
  private waitingCount = 0;
  private readonly batches: BatchSpanProcessor;

  constructor(exporter: SpanExporter) {
    this.batches = new BatchSpanProcessor({
      exporter: {
        export: (spans, done) => this.export(exporter, spans, done),
        shutdown: () => exporter.shutdown(),
      },
      maxQueueSize: QUEUE_MAX,
      maxExportBatchSize: BATCH_MAX,
      scheduledDelayMillis: DELAY_MS,
      exportTimeoutMillis: EXPORT_LIMIT_MS,
    });
  }

  onStart(): void {
    // A span counts once it has ended.
  }

  onEnd(span: ReadableSpan): void {
    if (this.waitingCount >= QUEUE_MAX) {
      this.droppedCount++;
      return;
    }
    this.waitingCount++;
    this.batches.onEnd(span);
  }

  forceFlush(): Promise<void> {
    return this.batches.forceFlush();
  }

  shutdown(): Promise<void> {
    return this.batches.shutdown();
  }

  /** Until a batch is sent or lost its spans count as waiting: a slow collector holds no more than that. */
  private export(
    exporter: SpanExporter,
    spans: ReadableSpan[],
    done: (result: ExportResult) => void,
  ): void {
    exporter.export(spans, (result) => {
      this.waitingCount -= spans.length;
      if (result.code === ExportResultCode.SUCCESS) this.exportedCount += spans.length;
      else this.droppedCount += spans.length;
      done(result);
    });
  }
}

const optionsOf = ({ attributes, startMs }: SpanOptions): OtelSpanOptions => ({
  ...(attributes === undefined ? {} : { attributes: bounded(attributes) }),
  ...(startMs === undefined ? {} : { startTime: startMs }),
});

/**
 * Some of it is what others say: the library would keep lists of any length, and each text before it cuts it.
 */
const bounded = (attributes: SpanAttributes): SpanAttributes =>
  Object.fromEntries(
    Object.entries(attributes)
      .filter(([, value]) => SCALARS.has(typeof value))
      .map(([name, value]) => [name, typeof value === 'string' ? value.slice(0, TEXT_MAX) : value]),
  );

const SCALARS: ReadonlySet<string> = new Set(['string', 'number', 'boolean']);

const remoteOf = ({ traceId, spanId, isSampled }: TraceContext): SpanContext => ({
  traceId,
  spanId,
  traceFlags: isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
  isRemote: true,
});

const MILLION = 1_000_000;
/** Of a text in a span. */
const TEXT_MAX = 1024;
const QUEUE_MAX = 4096;
const BATCH_MAX = 512;
const DELAY_MS = 1_000;
const EXPORT_LIMIT_MS = 5_000;
