import { readdirSync, readFileSync } from 'node:fs';

export interface Process {
  readonly command: string;
  readonly residentMb: number;
  /** Since it began, its children that have ended included. */
  readonly cpuMs: number;
}

/** All processes whose command names a folder of the cluster. */
export const processesOf = (cluster: string): Process[] =>
  readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        if (!command.includes(`/dhow/${cluster}/`)) return [];
        const status = readFileSync(`/proc/${pid}/status`, 'utf8');
        const residentKb = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
        return [{ command, residentMb: (residentKb * 1024) / 1e6, cpuMs: cpuMsOf(pid) }];
      } catch {
        // It ended while we looked.
        return [];
      }
    });

/** `server` or `node-N`. An agent's command names a folder of the server too: its join token's. */
export const nodeOf = (command: string, cluster: string): string | undefined => {
  const folder = (name: string) => new RegExp(`/dhow/${cluster}/(${name})\\b`).exec(command)?.[1];
  return folder('node-\\d+') ?? folder('server');
};

/** utime, stime, cutime and cstime of proc(5), which are told in hundredths of a second. */
export const cpuMsOf = (pid: string | number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) * 10;
};
