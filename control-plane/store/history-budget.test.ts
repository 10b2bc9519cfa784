import { EventLog } from './event-log';
import { HistoryBudget } from './history-budget';

const KB = 1024;
const NEVER = new AbortController().signal;

const open = (bytesMax: number, ageMsMax = Infinity) => {
  const budget = new HistoryBudget(bytesMax);
  const log = () =>
    new EventLog<number>(0, { eventCountMax: 1000, bytesMax: Infinity, ageMsMax, budget });
  return { budget, busy: log(), quiet: log() };
};

/** The first event that a reader from the start of what is kept would see. */
const oldestOf = async (log: EventLog<number>, lastVersion: number) => {
  for (let version = 0; version < lastVersion; version++) {
    try {
      for await (const event of log.read(version, NEVER)) return event;
    } catch {
      // Forgotten: try later ones.
    }
  }
  return undefined;
};

it('lets all logs together keep no more than the budget, the oldest going first', async () => {
  const { budget, busy, quiet } = open(100 * KB);
  quiet.append(1, 1, KB, 50);
  quiet.append(2, 2, KB, 150);
  for (let i = 1; i <= 500; i++) {
    busy.append(i, i, KB, i);
    expect(budget.bytes).toBeLessThanOrEqual(100 * KB);
  }
  // Its first event is older than what the busy one remembers.
  expect(await oldestOf(quiet, 2)).toBe(2);
  const oldest = await oldestOf(busy, 500);
  expect(oldest).toBeGreaterThan(400);
  expect(oldest).toBeLessThan(450);
});

it('forgets what is too old, and what a reset throws away', () => {
  const { budget, busy } = open(Infinity, 1000);
  for (let i = 1; i <= 10; i++) busy.append(i, i, KB, i);
  const tenBytes = budget.bytes;
  busy.append(11, 11, KB, 1500);
  expect(budget.bytes).toBeCloseTo(tenBytes / 10, 0);
  busy.reset(20);
  expect(budget.bytes).toBe(0);
});

it('has back what a closed log took up', () => {
  const { budget, busy, quiet } = open(100 * KB);
  quiet.append(1, 1, KB);
  const ofQuiet = budget.bytes;
  busy.append(1, 1, KB);
  busy.close();
  busy.append(2, 2, KB);
  expect(budget.bytes).toBe(ofQuiet);
});
