import fc from 'fast-check';
import { ManualClock } from '../../lib/clock';
import { CreationLimiter } from './creation-limiter';

const OWNER = 'owner';

/** An owner whose pods live `lifeMs`, unless the API refuses them; counts what it creates. */
class Cluster {
  readonly clock = new ManualClock();
  readonly limiter = new CreationLimiter(this.clock);
  readonly createdAtMs: number[] = [];
  triedCount = 0;
  lifeMs = Infinity;
  isRefusing = false;
  private pods: { uid: string; endsAtMs: number }[] = [];

  constructor(public size: number) {}

  get podCount(): number {
    return this.pods.length;
  }

  end(count: number): void {
    this.pods = this.pods.slice(count);
  }

  /** Reconciles every 50 ms, as often as events may come. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 50) {
      const nowMs = this.clock.monotonicMs();
      this.pods = this.pods.filter(({ endsAtMs }) => endsAtMs > nowMs);
      this.reconcile(nowMs);
      await this.clock.advance(50);
    }
  }

  private reconcile(nowMs: number): void {
    const { limiter, pods, size } = this;
    limiter.observe(
      OWNER,
      pods.map(({ uid }) => uid),
      () => 'OutOfcpu',
    );
    const { count } = limiter.allowance(OWNER, Math.max(0, size - pods.length), size);
    if (count === 0) return;
    this.triedCount += count;
    if (this.isRefusing) {
      limiter.created(OWNER, [], 'no');
      return;
    }
    const made = Array.from({ length: count }, (_, i) => `${nowMs}-${i}`);
    limiter.created(OWNER, made, undefined);
    for (const uid of made) {
      this.pods.push({ uid, endsAtMs: nowMs + this.lifeMs });
      this.createdAtMs.push(nowMs);
    }
  }
}

it.each([1, 3, 100, 500])('lets an owner grow to %i pods at once', async (size) => {
  const cluster = new Cluster(size);
  await cluster.pass(50);
  expect(cluster.podCount).toBe(size);
  cluster.size = size * 2;
  await cluster.pass(50);
  expect(cluster.podCount).toBe(size * 2);
});

it('replaces pods that lasted at once, however many a node held', async () => {
  const cluster = new Cluster(200);
  await cluster.pass(60_000);
  cluster.end(110);
  await cluster.pass(100);
  expect(cluster.podCount).toBe(200);
  expect(cluster.limiter.troubleOf(OWNER)).toBeUndefined();
});

it('replaces one pod that ends early at once, and the next ones later each time', async () => {
  const cluster = new Cluster(1);
  cluster.lifeMs = 100;
  await cluster.pass(10_000);
  expect(cluster.createdAtMs.slice(0, 2)).toEqual([0, 100]);
  expect(cluster.createdAtMs.length).toBeLessThanOrEqual(6);
  expect(cluster.limiter.troubleOf(OWNER)).toMatchObject({ reason: 'PodsEndEarly' });
  const before = cluster.createdAtMs.length;
  await cluster.pass(600_000);
  expect(cluster.createdAtMs.length - before).toBeLessThanOrEqual(15);
});

it('creates no more than a few pods a second in the long run, whatever they live and however many', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 50, max: 60_000 }),
      async (size, lifeMs) => {
        const cluster = new Cluster(size);
        cluster.lifeMs = lifeMs;
        await cluster.pass(90_000);
        const afterFirst = cluster.createdAtMs.filter((ms) => ms >= 30_000).length;
        // One bucket of tokens for what lasted, then five a second.
        expect(afterFirst).toBeLessThanOrEqual(Math.max(10, size) + 60 * 5 + 5);
      },
    ),
    { numRuns: 12 },
  );
});

it('tries a refused creation alone and later each time, and says what was said', async () => {
  const cluster = new Cluster(100);
  cluster.isRefusing = true;
  await cluster.pass(10_000);
  expect(cluster.triedCount - 100).toBeLessThanOrEqual(10);
  expect(cluster.limiter.troubleOf(OWNER)).toEqual({ reason: 'FailedCreate', message: 'no' });
  cluster.isRefusing = false;
  await cluster.pass(31_000);
  expect(cluster.podCount).toBe(100);
  expect(cluster.limiter.troubleOf(OWNER)).toBeUndefined();
});

it('recovers in growing rounds once pods last, and forgets the trouble', async () => {
  const cluster = new Cluster(100);
  cluster.lifeMs = 100;
  await cluster.pass(20_000);
  cluster.lifeMs = Infinity;
  await cluster.pass(120_000);
  expect(cluster.podCount).toBe(100);
  expect(cluster.limiter.troubleOf(OWNER)).toBeUndefined();
});

it('takes no pod that the owner gives up for a loss', async () => {
  const cluster = new Cluster(10);
  await cluster.pass(1000);
  for (let i = 0; i < 10; i++) cluster.limiter.released(OWNER, `0-${i}`);
  cluster.end(10);
  await cluster.pass(100);
  expect(cluster.podCount).toBe(10);
  expect(cluster.limiter.troubleOf(OWNER)).toBeUndefined();
});

it('keeps nothing of an owner that is gone', async () => {
  const cluster = new Cluster(3);
  cluster.lifeMs = 50;
  await cluster.pass(5000);
  cluster.limiter.forget(OWNER);
  expect(cluster.limiter.troubleOf(OWNER)).toBeUndefined();
});
