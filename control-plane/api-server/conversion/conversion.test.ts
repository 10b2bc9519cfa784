import fc from 'fast-check';
import type { ApiObject } from '../../../api/types';
import { ManualClock } from '../../../lib/clock';
import type { StoredObject } from '../../store/store';
import { WebhookCallError } from '../webhook-client';
import { ConversionCache } from './conversion-cache';
import { VersionConversion } from './version-conversion';
import { ConversionError, WebhookConverter } from './webhook-converter';

/* What a conversion may have under way, and for whom a failure counts. */

const OPEN = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } as const;
const VERSIONS = {
  schemas: new Map([
    ['example.com/v1', OPEN],
    ['example.com/v2', OPEN],
  ]),
  storage: 'example.com/v1',
};

const stored = (index: number, name = `n${index}`): StoredObject => {
  const object = {
    ...{ apiVersion: 'example.com/v1', kind: 'Thing' },
    metadata: { name, uid: `u${index}`, resourceVersion: String(index) },
  } as ApiObject;
  return {
    ...{ key: { resource: 'things.example.com', namespace: '', name }, resourceVersion: index },
    ...{ object, raw: Buffer.alloc(100) },
  };
};

interface Review {
  readonly request: {
    readonly uid: string;
    readonly desiredAPIVersion: string;
    readonly objects: readonly ApiObject[];
  };
}

const rightAnswer = ({ request: { uid, desiredAPIVersion, objects } }: Review) => ({
  ...{ kind: 'ConversionReview', apiVersion: 'apiextensions.k8s.io/v1' },
  response: {
    ...{ uid, result: { status: 'Success' } },
    convertedObjects: objects.map((each) => ({ ...each, apiVersion: desiredAPIVersion })),
  },
});

const converting = (answer: (review: Review) => unknown) => {
  const clock = new ManualClock();
  let underWay = 0;
  const seen = { most: 0, sizes: [] as number[] };
  const rules = {
    target: { url: 'https://hook.example/' },
    reviewVersions: ['v1'],
    apiVersions: new Set(VERSIONS.schemas.keys()),
  };
  const converter = new WebhookConverter(rules, {
    clock,
    call: async (_target, body, _options, signal) => {
      seen.most = Math.max(seen.most, ++underWay);
      seen.sizes.push((body as Review).request.objects.length);
      const gaveUp = new Promise<never>((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(new WebhookCallError('timed out'))),
      );
      try {
        return await Promise.race([answer(body as Review), gaveUp]);
      } finally {
        underWay--;
      }
    },
  });
  const cache = new ConversionCache(1_000_000);
  const conversion = new VersionConversion('example.com/v2', VERSIONS, converter, cache);
  return { clock, seen, conversion };
};

const waiting = { signal: new AbortController().signal };
const turn = () => new Promise((resolve) => setImmediate(resolve));

it('keeps the order, and asks about each state once, whatever is asked for and when', async () => {
  const asked = fc.array(fc.array(fc.nat(300), { maxLength: 150 }), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(asked, async (lists) => {
      const { conversion, seen } = converting(async (review) => {
        await turn();
        return rightAnswer(review);
      });
      const all = lists.map((list) => [...new Set(list)].map((index) => stored(index + 1)));
      const found = await Promise.all(all.map((list) => conversion.present(list, waiting)));
      expect(found.map((list) => list.map(({ object }) => object.metadata.name))).toEqual(
        all.map((list) => list.map(({ key }) => key.name)),
      );
      const distinct = new Set(all.flat().map(({ resourceVersion }) => resourceVersion));
      expect(seen.sizes.reduce((sum, size) => sum + size, 0)).toBe(distinct.size);
      expect(Math.max(0, ...seen.sizes)).toBeLessThanOrEqual(100);
    }),
    { numRuns: 50 },
  );
});

it('has so many calls under way, lets some wait, and refuses the others at once', async () => {
  const { conversion, clock, seen } = converting(() => new Promise(() => undefined));
  const outcomes = Array.from({ length: 300 }, (_none, i) =>
    conversion.present([stored(i + 1)], waiting).catch((error: unknown) => error),
  );
  await turn();
  const [refused] = await Promise.all(outcomes.slice(-1));
  expect((refused as Error).message).toContain('too many calls are under way');
  expect(seen.most).toBe(16);
  await clock.advance(30_000);
  const [first, second] = await Promise.all([outcomes[0], outcomes[100]]);
  expect((first as Error).message).toContain('timed out');
  expect((second as Error).message).toMatch(/context deadline exceeded|timed out/);
  expect(conversion.hasFailedLately).toBe(true);
  await clock.advance(10_000);
  expect(conversion.hasFailedLately).toBe(false);
});

it('begins nothing more of a list once a part of it has failed', async () => {
  const { conversion, seen } = converting(async () => {
    await turn();
    throw new WebhookCallError('refused');
  });
  const many = Array.from({ length: 3000 }, (_none, i) => stored(i + 1));
  await expect(conversion.present(many, waiting)).rejects.toThrow(ConversionError);
  await turn();
  expect(seen.sizes.length).toBeLessThanOrEqual(8);
});

it('lets a caller go, and no other', async () => {
  let release = () => undefined as unknown;
  const { conversion } = converting(async (review) => {
    await new Promise((resolve) => (release = () => resolve(undefined)));
    return rightAnswer(review);
  });
  const leaving = new AbortController();
  const left = conversion.present([stored(1)], { signal: leaving.signal });
  const stays = conversion.present([stored(1)], waiting);
  await turn();
  leaving.abort();
  await expect(left).rejects.toThrow('given up');
  release();
  expect(await stays).toHaveLength(1);
});

it('holds what it keeps to its bytes, and drops the longest unused', () => {
  const cache = new ConversionCache(1000);
  for (let i = 0; i < 10; i++) {
    cache.set(`k${i}`, stored(i), 200);
    cache.get('k0');
  }
  expect(Array.from({ length: 10 }, (_none, i) => cache.get(`k${i}`) !== undefined)).toEqual([
    ...[true, false, false, false, false, false],
    ...[true, true, true, true],
  ]);
  cache.set('large', stored(1), 500);
  expect(cache.get('large')).toBeUndefined();
});
