import { totalmem } from 'node:os';

/** How much memory this process may use: its cgroup's limit, or else the machine's memory. */
export const memoryLimitBytes = (): number => {
  // "No limit" comes as 0 or as a number beyond all memory.
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
};
