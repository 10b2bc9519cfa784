/** One's own: SIMULATION_SEED=7, or a campaign: SIMULATION_SEEDS=5000. */
export const seedsOf = (count: number): readonly number[] =>
  process.env['SIMULATION_SEED'] === undefined
    ? Array.from(
        { length: Number(process.env['SIMULATION_SEEDS'] ?? count) },
        (_, index) => index + 1,
      )
    : [Number(process.env['SIMULATION_SEED'])];
