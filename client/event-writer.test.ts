import { ApiError } from '../api/errors';
import type { Event } from '../api/types';
import { ManualClock } from '../lib/clock';
import { silentLog, type LogFields } from '../lib/log';
import type { ApiClient } from './api-client';
import { EventWriter, type EventDraft } from './event-writer';

const LATER_MS = 1000;

const draft = (message: string, name = 'web'): EventDraft => ({
  type: 'Normal',
  reason: 'Pulled',
  message,
  involvedObject: { kind: 'Pod', namespace: 'shop', name, uid: `uid-of-${name}` },
  source: { component: 'kubelet', host: 'node-1' },
});

const setUp = (gate: () => Promise<void> = () => Promise.resolve()) => {
  const stored = new Map<string, Event>();
  const client = {
    create: async (_resource: unknown, event: Event) => {
      await gate();
      stored.set(event.metadata.name, event);
      return event;
    },
    patch: (_resource: unknown, { name }: { name: string }, _type: string, body: object) => {
      const event = stored.get(name);
      if (event === undefined) return Promise.reject(new ApiError('NotFound', 'expired'));
      stored.set(name, { ...event, ...body });
      return Promise.resolve({ ...event, ...body });
    },
  } as unknown as Pick<ApiClient, 'create' | 'patch'>;
  const clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'));
  const warnings: LogFields[] = [];
  const log = { ...silentLog, warn: (fields: LogFields) => void warnings.push(fields) };
  const writer = new EventWriter({ client, clock, log });
  const counts = () => [...stored.values()].map(({ message, count }) => [message, count]);
  return { stored, clock, writer, counts, warnings };
};

describe('EventWriter', () => {
  it('writes later what it is told, named and placed as upstream does', async () => {
    const { stored, clock, writer } = setUp();
    writer.record(draft('image present'));
    expect(stored.size).toBe(0);
    await clock.advance(LATER_MS);
    const [event] = stored.values();
    expect(event).toMatchObject({
      metadata: { namespace: 'shop', name: expect.stringMatching(/^web\.[0-9a-f]+$/) as string },
      reportingComponent: 'kubelet',
      reportingInstance: 'node-1',
      firstTimestamp: '2026-01-01T00:00:00Z',
      count: 1,
    });
  });

  it('writes a crowd of them a few at a time, each once', async () => {
    let underWay = 0;
    let most = 0;
    const { stored, clock, writer } = setUp(async () => {
      most = Math.max(most, ++underWay);
      await Promise.resolve();
      underWay--;
    });
    for (let i = 0; i < 500; i++) writer.record(draft('pulled', `pod-${i}`));
    await clock.advance(LATER_MS);
    expect(stored.size).toBe(500);
    expect(most).toBe(32);
    writer.record(draft('started', 'pod-0'));
    await clock.advance(LATER_MS);
    expect(stored.size).toBe(501);
  });

  it('counts what is said again, whether the first one waits or is written', async () => {
    const { clock, writer, counts } = setUp();
    writer.record(draft('pulled'));
    writer.record(draft('pulled'));
    await clock.advance(LATER_MS);
    expect(counts()).toEqual([['pulled', 2]]);
    writer.record(draft('pulled'));
    await clock.advance(LATER_MS);
    expect(counts()).toEqual([['pulled', 3]]);
  });

  it('keeps apart what is said of different objects', async () => {
    const { clock, writer, counts } = setUp();
    writer.record(draft('pulled', 'a'));
    writer.record(draft('pulled', 'b'));
    await clock.advance(LATER_MS);
    expect(counts()).toEqual([
      ['pulled', 1],
      ['pulled', 1],
    ]);
  });

  it('begins anew when the earlier event has expired', async () => {
    const { stored, clock, writer, counts } = setUp();
    writer.record(draft('pulled'));
    await clock.advance(LATER_MS);
    stored.clear();
    writer.record(draft('pulled'));
    await clock.advance(LATER_MS);
    expect(counts()).toEqual([['pulled', 1]]);
  });

  it('drops events beyond its bound, and says so once', async () => {
    const { stored, clock, writer, warnings } = setUp();
    for (let i = 0; i < 1500; i++) writer.record(draft('message', `pod-${i}`));
    await clock.advance(LATER_MS);
    expect(stored.size).toBe(1000);
    expect(warnings).toEqual([{ count: 500 }]);
  });

  it('says no more than a burst of one object, however different the messages', async () => {
    const { stored, clock, writer } = setUp();
    for (let i = 0; i < 1000; i++) {
      writer.record(draft(`message ${i}`));
      await clock.advance(10);
    }
    await clock.advance(LATER_MS);
    expect(stored.size).toBe(25);
  });

  it('does not try again what is refused, as in a namespace that is gone', async () => {
    const clock = new ManualClock();
    let tries = 0;
    const refused = () => {
      tries++;
      return Promise.reject(new ApiError('NotFound', 'namespaces "shop" not found'));
    };
    const writer = new EventWriter({
      client: { create: refused, patch: refused },
      clock,
      log: silentLog,
    });
    writer.record(draft('pulled'));
    await clock.advance(60_000);
    expect(tries).toBe(1);
  });
});
