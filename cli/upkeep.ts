import { Command } from 'commander';
import { runProgram } from './program';
import { defineCertsRotate, defineEtcd } from './syntax/upkeep';

/** What is done on the machine of a server, as root: `dhow etcd` and `dhow certs`. */
export const main = (argv: readonly string[]): Promise<number> => {
  const program = new Command('dhow');
  defineEtcd(program);
  defineCertsRotate(program);
  return runProgram(program, argv);
};
