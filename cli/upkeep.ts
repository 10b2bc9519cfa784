import { Command } from 'commander';
import { runProgram } from './program';
import { defineEtcd } from './syntax/upkeep';

/** What is done on the machine of a server, as root: `dhow etcd`. */
export const main = (argv: readonly string[]): Promise<number> => {
  const program = new Command('dhow');
  defineEtcd(program);
  return runProgram(program, argv);
};
