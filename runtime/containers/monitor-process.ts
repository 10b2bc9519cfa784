import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Processes of the launcher that serves `runDir`: itself, monitors, and what they forked. */
export const launcherProcesses = (runDir: string): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => commandLine(pid) === `dhow-launcher\0${runDir}\0`)
    .map(Number);

/** The process that accepts connections at `socketPath`; undefined when none of ours does. */
export const listenerAt = (runDir: string, socketPath: string): number | undefined => {
  const inode = listeningInode(socketPath);
  if (inode === undefined) return undefined;
  return launcherProcesses(runDir).find((pid) => holdsSocket(pid, inode));
};

/** `Num RefCount Protocol Flags Type St Inode Path`; the flag says that it listens. */
const listeningInode = (socketPath: string): string | undefined =>
  readFileSync('/proc/net/unix', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .find((fields) => fields[7] === socketPath && fields[3] === SO_ACCEPTCON)?.[6];

const holdsSocket = (pid: number, inode: string): boolean => {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).some((fd) => linkOf(`${folder}/${fd}`) === `socket:[${inode}]`);
  } catch {
    // Ended meanwhile.
    return false;
  }
};

const linkOf = (path: string): string => {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
};

const commandLine = (pid: string): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
};

const SO_ACCEPTCON = '00010000';
