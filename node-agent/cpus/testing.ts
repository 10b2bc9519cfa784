import type { CpuTopology } from './topology';

/** Numbered as machines do: all first threads of cores, then all second ones. */
export const machine = (
  socketCount: number,
  coresPerSocket: number,
  threadsPerCore: number,
  nodesPerSocket = 1,
): CpuTopology => {
  const coreCount = socketCount * coresPerSocket;
  return Array.from({ length: coreCount * threadsPerCore }, (_, id) => {
    const core = id % coreCount;
    const socket = Math.floor(core / coresPerSocket);
    const inSocket = core % coresPerSocket;
    const node = socket * nodesPerSocket + Math.floor((inSocket * nodesPerSocket) / coresPerSocket);
    return { id, core: `${core}`, socket: `${socket}`, numaNode: `node${node}` };
  });
};
