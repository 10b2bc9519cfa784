/** What the parts of a server may keep beside the objects of the cluster themselves. */
export interface MemoryBudget {
  /** The recent changes of all resources, for watches to resume from. */
  readonly historyBytes: number;
  /** Lists that clients read page by page. */
  readonly snapshotBytes: number;
  /** Objects in the versions that webhooks made of them. */
  readonly conversionBytes: number;
  /** Bodies of requests that are being read or worked on. */
  readonly bodyBytes: number;
  /** Answers, and news of watches, that wait for their readers. */
  readonly unreadBytes: number;
  /** What nodes said of classes of pods: a class takes 200 bytes a node. */
  readonly podClassBytes: number;
  /** A connection with TLS takes 60 to 100 KB. */
  readonly connectionsMax: number;
  readonly watchesMax: number;
  /** Served versions of users' kinds: with its caches, a used one takes 200 to 400 KB. */
  readonly customVersionsMax: number;
}

/**
 * Divides what there is. A server with 512 MB holds 3,000 pods in half of it; what else may grow shares
 * a quarter, and a quarter is left for the garbage between two collections. More than a gigabyte would
 * only be forgotten later.
 */
export const memoryBudgetOf = (limitBytes: number): MemoryBudget => {
  const bytes = Math.min(Math.max(limitBytes, 128 * MB), 1024 * MB);
  const connectionsMax = Math.min(10_000, Math.round(Math.max(limitBytes, 128 * MB) / (256 * KB)));
  return {
    historyBytes: bytes * 0.06,
    snapshotBytes: bytes * 0.05,
    conversionBytes: bytes * 0.02,
    bodyBytes: bytes * 0.05,
    unreadBytes: bytes * 0.05,
    // A large machine may serve thousands of nodes.
    podClassBytes: Math.min(Math.max(limitBytes, 128 * MB) * 0.02, 256 * MB),
    connectionsMax,
    // The others are for those who ask, and for nodes.
    watchesMax: Math.round(connectionsMax * 0.8),
    customVersionsMax: Math.min(10_000, Math.round(Math.max(limitBytes, 128 * MB) / MB)),
  };
};

const KB = 1024;
const MB = 1024 * KB;
