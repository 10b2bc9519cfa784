import { readFileSync } from 'node:fs';
import { createSocket } from 'node:dgram';
import { availableParallelism, release, totalmem } from 'node:os';

/** What the machine is, read once. */
export interface HostFacts {
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  readonly machineId: string;
  readonly bootId: string;
  readonly kernelVersion: string;
  readonly osImage: string;
}

/** From /proc, the cgroup that the agent is in, and /etc. */
export const readHostFacts = (): HostFacts => ({
  cpuMillis: Math.min(availableParallelism() * 1000, cgroupCpuMillis() ?? Infinity),
  memoryBytes: Math.min(totalmem(), cgroupMemoryBytes() ?? Infinity),
  machineId: read('/etc/machine-id') ?? '',
  bootId: read('/proc/sys/kernel/random/boot_id') ?? '',
  kernelVersion: release(),
  osImage: osImage(),
});

/** When the kernel started, by the wall clock. */
export const bootedAtMs = (): number =>
  Number(/^btime (\d+)$/m.exec(read('/proc/stat') ?? '')?.[1] ?? 0) * 1000;

/**
 * This machine's address on the interface that routes to `host`, for other nodes to reach it by. To a
 * server on this very machine that is an address of no use to them: then the one on the way to the
 * world, if there is a way. Sends nothing.
 */
export const addressToward = async (host: string, port: number): Promise<string> => {
  const address = await sourceToward(host, port);
  if (!isLoopback(address)) return address;
  return await sourceToward(OUTSIDE_ADDRESS, port).catch(() => address);
};

const isLoopback = (address: string): boolean => address.startsWith('127.') || address === '::1';

/** Of a range kept for documentation: stands for "anywhere outside". */
const OUTSIDE_ADDRESS = '198.51.100.1';

const sourceToward = (host: string, port: number): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    socket.on('error', (error) => {
      socket.close();
      reject(new Error(`cannot find the address that routes to ${host}`, { cause: error }));
    });
    socket.connect(port, host, () => {
      const { address } = socket.address();
      socket.close();
      resolve(address);
    });
  });

const cgroupCpuMillis = (): number | undefined => {
  const [quota = '', period = ''] = (readCgroup('', 'cpu.max') ?? '').split(' ');
  if (Number(quota) > 0) return Math.floor((Number(quota) / Number(period)) * 1000);
  const quotaV1 = Number(readCgroup('cpu', 'cpu.cfs_quota_us') ?? -1);
  const periodV1 = Number(readCgroup('cpu', 'cpu.cfs_period_us') ?? 0);
  return quotaV1 > 0 && periodV1 > 0 ? Math.floor((quotaV1 / periodV1) * 1000) : undefined;
};

const cgroupMemoryBytes = (): number | undefined => {
  const text =
    readCgroup('', 'memory.max') ?? readCgroup('memory', 'memory.limit_in_bytes') ?? 'max';
  const bytes = Number(text);
  return Number.isFinite(bytes) && bytes > 0 ? bytes : undefined;
};

/** A file of this process's own cgroup; `controller` is `''` for the unified hierarchy. */
const readCgroup = (controller: string, file: string): string | undefined => {
  for (const line of (read('/proc/self/cgroup') ?? '').split('\n')) {
    const [, controllers = '', path = '/'] = line.split(':', 3);
    if (controller === '' ? controllers !== '' : !controllers.split(',').includes(controller))
      continue;
    const root = controller === '' ? '/sys/fs/cgroup' : `/sys/fs/cgroup/${controller}`;
    return read(`${root}${path}/${file}`) ?? read(`${root}/${file}`);
  }
  return undefined;
};

const osImage = (): string => {
  const match = /^PRETTY_NAME="?([^"\n]*)"?/m.exec(read('/etc/os-release') ?? '');
  return match?.[1] ?? 'Linux';
};

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
};
