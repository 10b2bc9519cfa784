/** One figure against its peer: what `npm run bench -- --json` prints as a line. */
export interface BenchResult {
  readonly bench: string;
  readonly metric: string;
  readonly ours: number;
  readonly peer: string;
  readonly peerValue: number;
  /** How many times better ours is. */
  readonly ratio: number;
  readonly unit: string;
}
