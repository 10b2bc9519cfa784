import { ExportResultCode } from '@opentelemetry/core';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import { ObjectTraces } from './object-traces';
import { OpenTelemetryTracing } from './open-telemetry';
import { parentsOf, TEST_TRACING, testTracing } from './testing';
import { podSpan, spanning } from './tracing';

const CALLER = { traceId: '1'.repeat(32), spanId: '2'.repeat(16), isSampled: true };
const ALL = { ...TEST_TRACING, samplingRatePerMillion: 1_000_000 };

it('hangs spans on each other, and says how they ended', async () => {
  const { tracing, ended } = testTracing();
  const root = tracing.request('root', { isTrusted: false, attributes: { a: 1 } })!;
  await spanning(root.child('good'), Promise.resolve());
  await expect(spanning(root.child('bad'), Promise.reject(new Error('no')))).rejects.toThrow('no');
  tracing.pods.note('uid', root.context);
  podSpan(tracing, 'uid', 'pod', () => ({ attributes: { b: 2 } }))?.[Symbol.dispose]();
  root[Symbol.dispose]();
  root[Symbol.dispose]();
  const spans = await ended();
  expect(parentsOf(spans)).toEqual({ root: '', good: 'root', bad: 'root', pod: 'root' });
  expect(spans).toHaveLength(4);
  expect(new Set(spans.map((span) => span.spanContext().traceId)).size).toBe(1);
  expect(spans.find(({ name }) => name === 'bad')?.status).toEqual({ code: 2, message: 'no' });
});

it('goes on with the trace of a caller that is trusted, and links to that of another', async () => {
  const { tracing, ended } = testTracing(0);
  const others = testTracing();
  tracing.request('trusted', { caller: CALLER, isTrusted: true })?.[Symbol.dispose]();
  others.tracing.request('linked', { caller: CALLER, isTrusted: false })?.[Symbol.dispose]();
  const [trusted] = await ended();
  const [linked] = await others.ended();
  expect(trusted?.spanContext().traceId).toBe(CALLER.traceId);
  expect(trusted?.parentSpanContext?.spanId).toBe(CALLER.spanId);
  expect(linked?.spanContext().traceId).not.toBe(CALLER.traceId);
  expect(linked?.links.map(({ context }) => context.spanId)).toEqual([CALLER.spanId]);
});

it('samples by the rate alone, but for what a trusted caller has decided', async () => {
  const { tracing, ended } = testTracing(0);
  expect(tracing.request('none', { isTrusted: true })).toBeUndefined();
  expect(tracing.request('none', { caller: CALLER, isTrusted: false })).toBeUndefined();
  const unsampled = { ...CALLER, isSampled: false };
  const all = testTracing();
  expect(all.tracing.request('none', { caller: unsampled, isTrusted: true })).toBeUndefined();
  expect(await ended()).toEqual([]);
  expect(await all.ended()).toEqual([]);
});

it('holds a bounded queue while a collector does not answer, and counts what is lost', async () => {
  const waiting: { count: number; fail: () => void }[] = [];
  const exporter: SpanExporter = {
    export: (spans, done) =>
      waiting.push({
        count: spans.length,
        fail: () => done({ code: ExportResultCode.FAILED, error: new Error('no') }),
      }),
    shutdown: async () => undefined,
  };
  const tracing = new OpenTelemetryTracing(ALL, exporter);
  for (let i = 0; i < 5_000; i++) tracing.request('r', { isTrusted: false })?.[Symbol.dispose]();
  expect(tracing.lines()).toContain('dhow_tracing_spans_dropped_total 904');
  const closing = tracing[Symbol.asyncDispose]();
  await new Promise((resolve) => setImmediate(resolve));
  expect(waiting.reduce((sum, { count }) => sum + count, 0)).toBe(4_096);
  for (const { fail } of waiting) fail();
  await closing;
  expect(tracing.lines()).toContain('dhow_tracing_spans_dropped_total 5000');
  expect(tracing.lines()).toContain('dhow_tracing_spans_exported_total 0');
});

it('cuts texts that are too long', async () => {
  const { tracing, ended } = testTracing();
  const attributes = { path: 'x'.repeat(100_000) };
  tracing.request('r', { isTrusted: false, attributes })?.[Symbol.dispose]();
  const [span] = (await ended()) as ReadableSpan[];
  expect(String(span?.attributes['path'])).toHaveLength(1024);
});

it('keeps no lists, nor whatever else is no text or number, though a node may say so', async () => {
  const { tracing, ended } = testTracing();
  const phase = Array(10_000).fill('x') as unknown as string;
  const attributes = { phase, other: {} as unknown as string, count: 1, is: true };
  using span = tracing.request('r', { isTrusted: false, attributes });
  span?.set({ later: phase });
  span?.[Symbol.dispose]();
  const [told] = (await ended()) as ReadableSpan[];
  expect(told?.attributes).toEqual({ count: 1, is: true });
});

it('remembers no more objects than it has room for, and none that are not sampled', () => {
  const traces = new ObjectTraces();
  for (let i = 0; i <= 10_000; i++) traces.note(String(i), CALLER);
  expect(traces.of('0')).toBeUndefined();
  expect(traces.of('10000')).toEqual(CALLER);
  traces.note('other', { ...CALLER, isSampled: false });
  expect(traces.of('other')).toBeUndefined();
  traces.forget('10000');
  expect(traces.of('10000')).toBeUndefined();
});
