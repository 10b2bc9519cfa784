import { memoryBudgetOf } from './memory-budget';

const MB = 1024 * 1024;

it.each([512, 1024, 24 * 1024])('gives away a quarter of %s MB at most', (limitMb) => {
  const budget = memoryBudgetOf(limitMb * MB);
  const { historyBytes, snapshotBytes, conversionBytes, bodyBytes, unreadBytes } = budget;
  const { podClassBytes } = budget;
  const bytes =
    historyBytes + snapshotBytes + conversionBytes + bodyBytes + unreadBytes + podClassBytes;
  expect(bytes).toBeLessThanOrEqual((limitMb * MB) / 4);
  expect(budget.connectionsMax * 100 * 1024).toBeLessThanOrEqual((limitMb * MB) / 2);
  expect(budget.watchesMax).toBeLessThan(budget.connectionsMax);
});

it('takes no more than it needs of a large machine, and leaves a small one usable', () => {
  expect(memoryBudgetOf(1024 * 1024 * MB)).toEqual({
    ...memoryBudgetOf(1024 * MB),
    connectionsMax: 10_000,
    watchesMax: 8000,
    customVersionsMax: 10_000,
    podClassBytes: 256 * MB,
  });
  expect(memoryBudgetOf(1).bodyBytes).toBeGreaterThan(6 * MB);
});
