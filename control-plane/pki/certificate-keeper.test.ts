import { ManualClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { seededRandom } from '../../lib/random';
import { keepCertificates } from './certificate-keeper';
import type { KeyPairPem } from './certificates';

const DAY_MS = 86_400_000;
const YEAR_MS = 365 * DAY_MS;

let clock: ManualClock;
let stop: AbortController;
let running: Promise<void>;

beforeEach(() => {
  clock = new ManualClock(Date.UTC(2026, 5, 1));
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await running;
});

/** Certificates that are due when 100 days are left, without any cryptography. */
class FakePki {
  readonly caCertificate = 'ca';
  private serial = 0;
  server = this.issue();
  admin = this.issue();
  fault: Error | undefined;
  readonly ca = { fromMs: clock.now(), untilMs: clock.now() + 10 * YEAR_MS };
  private readonly untilMs = new Map<KeyPairPem, number>();

  lives() {
    const lifeOf = (pair: KeyPairPem) => ({
      fromMs: this.ca.fromMs,
      untilMs: this.untilMs.get(pair) ?? this.ca.fromMs + YEAR_MS,
    });
    return { ca: this.ca, server: lifeOf(this.server), admin: lifeOf(this.admin) };
  }

  async renewDue(leftShare: number): Promise<void> {
    const { server } = this.lives();
    if (server.untilMs - clock.now() >= leftShare * YEAR_MS) return;
    if (this.fault !== undefined) throw this.fault;
    [this.server, this.admin] = [this.issue(), this.issue()];
    for (const pair of [this.server, this.admin]) this.untilMs.set(pair, clock.now() + YEAR_MS);
  }

  private issue(): KeyPairPem {
    return { certificate: `c${++this.serial}`, key: '' };
  }
}

const keep = (pki: FakePki, useAdmin: () => Promise<unknown> = async () => undefined) => {
  const shown: string[] = [];
  const said: string[] = [];
  const say = (_fields: object, text: string) => void said.push(text);
  running = keepCertificates(
    {
      pki,
      useServer: () => void shown.push(pki.server.certificate),
      useAdmin,
      lifeMs: YEAR_MS,
      clock,
      random: seededRandom(3),
      log: { ...silentLog, warn: say, error: say },
    },
    stop.signal,
  );
  return { shown, said };
};

/** Hour by hour, as a minute by minute takes long. */
const pass = async (days: number) => {
  for (let day = 0; day < days; day++) {
    clock.setBy(DAY_MS - 120_000);
    await clock.advance(120_000);
  }
};

it('shows a new certificate every two thirds of a year while the server runs', async () => {
  const { shown, said } = keep(new FakePki());
  await pass(240);
  expect(shown).toEqual([]);
  await pass(400);
  expect(shown).toHaveLength(2);
  expect(said).toEqual([]);
});

it('survives a clock that is set back and forward by hours', async () => {
  const { shown } = keep(new FakePki());
  for (let round = 0; round < 200; round++) {
    clock.setBy((round % 2 === 0 ? -1 : 1) * 7 * 3_600_000);
    await clock.advance(120_000);
  }
  expect(shown).toEqual([]);
  await pass(300);
  expect(shown).toHaveLength(1);
});

it('renews at the next look when the machine slept for a year', async () => {
  const { shown } = keep(new FakePki());
  await clock.advance(1);
  clock.setBy(400 * DAY_MS);
  await clock.advance(60_000);
  expect(shown).toHaveLength(1);
});

it('keeps what works while the disk is full, and tries again', async () => {
  const pki = new FakePki();
  const { shown, said } = keep(pki);
  pki.fault = new Error('ENOSPC');
  await pass(300);
  expect(shown).toEqual([]);
  expect(said.length).toBeGreaterThan(1);
  pki.fault = undefined;
  await clock.advance(3_600_000);
  expect(shown).toHaveLength(1);
});

it('hands the new kubeconfig out again until that works, and the new certificate once', async () => {
  const pki = new FakePki();
  let calls = 0;
  const { shown } = keep(pki, async () => {
    if (++calls < 3) throw new Error('EIO');
  });
  clock.setBy(300 * DAY_MS);
  await clock.advance(3_600_000);
  expect(calls).toBe(3);
  expect(shown).toHaveLength(1);
});

it('says once a day that the authority ends, and that it has ended', async () => {
  const pki = new FakePki();
  const { said } = keep(pki);
  clock.setBy(pki.ca.untilMs - 80 * DAY_MS - clock.now());
  await clock.advance(3 * DAY_MS - 120_000);
  const [text = ''] = said;
  expect(text).toContain('about to end: see docs/guides/certificates.md');
  expect(said).toEqual([text, text, text]);
  clock.setBy(80 * DAY_MS);
  await clock.advance(120_000);
  expect(said.at(-1)).toContain('has ended');
});

it('says that the clock is behind the authority', async () => {
  const { said } = keep(new FakePki());
  clock.setBy(-10 * YEAR_MS);
  await clock.advance(120_000);
  expect(said).toEqual(['the clock of this machine is behind the certificate authority']);
});
