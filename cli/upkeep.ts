import { Command } from 'commander';
import { systemTerminal } from './output/terminal';
import { runProgram } from './program';
import { defineCerts } from './syntax/certs';
import { defineEtcd, defineUpgrade } from './syntax/upkeep';
import type { Local, LocalAction } from './syntax/command';

/**
 * What is done on the machine of a server, as root: `dhow etcd`, `dhow certs` and `dhow upgrade`. Apart from the commands that
 * ask a server, since what reads certificates and stores is large, and each of those would wait for it.
 */
export const main = async (argv: readonly string[]): Promise<number> => {
  const program = new Command('dhow');
  const terminal = systemTerminal();
  let exitCode = 0;
  const local: Local = <A extends readonly unknown[]>(command: Command, action: LocalAction<A>) =>
    command.action(async (...args: unknown[]) => {
      // Commander passes the arguments, the options, then the command itself.
      const result = await action(terminal, ...(args.slice(0, -1) as unknown as A));
      if (typeof result === 'number') exitCode = result;
    });
  defineEtcd(program);
  defineCerts(program, local);
  defineUpgrade(program, local);
  const code = await runProgram(program, argv);
  return code === 0 ? exitCode : code;
};
