import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import type { TestCluster } from './cluster';

/**
 * The agent with this pid ends, and one with these flags besides its own takes over. Flags like `instead`
 * are not taken from the one before. The caller ends it.
 */
export const takeOver = async (
  cluster: TestCluster,
  pid: number,
  instead: RegExp,
  flags: readonly string[],
): Promise<ChildProcess> => {
  const commandOf = () => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
    } catch {
      return [];
    }
  };
  const isOurs = (word = '') => instead.test(word);
  const command = commandOf().filter((word, at, all) => !isOurs(word) && !isOurs(all[at - 1]));
  const network = openSync(`/proc/${pid}/ns/net`, 'r');
  try {
    process.kill(pid, 'SIGTERM');
    await cluster.until('the end of the agent', async () => commandOf().length === 0);
    const entry = `--net=/proc/${process.pid}/fd/${network}`;
    const agent = spawn('nsenter', [entry, '--', ...command, ...flags], { stdio: 'ignore' });
    await once(agent, 'spawn');
    await cluster.until('the agent', async () => commandIs(agent.pid, command[0]));
    return agent;
  } finally {
    closeSync(network);
  }
};

/** It has entered the namespace, and become the agent. */
const commandIs = (pid: number | undefined, program = ''): boolean =>
  readFileSync(`/proc/${pid ?? 0}/cmdline`, 'utf8').startsWith(program);

/** Idempotent. */
export const endAgent = async (agent: ChildProcess | undefined): Promise<void> => {
  if (agent?.exitCode !== null || agent.signalCode !== null) return;
  const ended = once(agent, 'exit');
  agent.kill('SIGTERM');
  await ended;
};
