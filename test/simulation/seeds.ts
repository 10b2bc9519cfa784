/** One's own: SIMULATION_SEED=7, or a campaign: SIMULATION_SEEDS=5000, maybe from SIMULATION_FROM=101 on. */
export const seedsOf = (count: number): readonly number[] => {
  const { SIMULATION_SEED, SIMULATION_SEEDS, SIMULATION_FROM } = process.env;
  if (SIMULATION_SEED !== undefined) return [Number(SIMULATION_SEED)];
  const first = Number(SIMULATION_FROM ?? 1);
  return Array.from({ length: Number(SIMULATION_SEEDS ?? count) }, (_, index) => first + index);
};
