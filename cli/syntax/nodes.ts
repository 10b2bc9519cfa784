import type { Command } from 'commander';
import type { ChangeOptions } from '../changing';
import type { DrainOptions } from '../commands/drain';
import type { TaintOptions } from '../commands/taint';
import { changing, examples, lazily, selecting, type Connected } from './command';

export const defineCordon = (program: Command, connected: Connected): void => {
  connected<[string[], ChangeOptions]>(
    selecting(changing(program.command('cordon [node...]')))
      .description('Keep new pods from nodes')
      .addHelpText('after', examples('dhow cordon node-1', 'dhow cordon -l zone=a')),
    lazily(async () => (await import('../commands/cordon.js')).cordon),
  );
};

export const defineUncordon = (program: Command, connected: Connected): void => {
  connected<[string[], ChangeOptions]>(
    selecting(changing(program.command('uncordon [node...]')))
      .description('Let new pods onto nodes again')
      .addHelpText('after', examples('dhow uncordon node-1', 'dhow uncordon -l zone=a')),
    lazily(async () => (await import('../commands/cordon.js')).uncordon),
  );
};

export const defineTaint = (program: Command, connected: Connected): void => {
  connected<[string[], TaintOptions]>(
    selecting(changing(program.command('taint <kind-or-name...>')))
      .usage('[options] NODE NAME KEY=VALUE:EFFECT... KEY:EFFECT-... KEY-...')
      .description('Put taints on nodes, and take them off')
      .option('--overwrite', 'also where the node has such a taint')
      .addHelpText(
        'after',
        examples(
          'dhow taint node node-1 dedicated=db:NoSchedule    for pods that tolerate it only',
          'dhow taint node node-1 dedicated:NoSchedule-      take it off',
          'dhow taint node node-1 dedicated-                 whatever its effect',
          'dhow taint nodes --all maintenance:NoExecute      also ends what runs there',
        ),
      ),
    lazily(async () => (await import('../commands/taint.js')).taint),
  );
};

export const defineDrain = (program: Command, connected: Connected): void => {
  connected<[string[], DrainOptions]>(
    program
      .command('drain [node...]')
      .description('Keep new pods from nodes and evict those that are there')
      .option('-l, --selector <labels>', 'all nodes with these labels')
      .option('--ignore-daemonsets', 'leave pods of daemon sets where they are')
      .option('--force', 'also pods that nothing makes anew')
      .option('--delete-emptydir-data', 'also pods whose data is lost with them')
      .option('--grace-period <seconds>', 'how long pods may take to end; -1 is their own')
      .option('--timeout <duration>', 'give up after this; 0 is never')
      .option('--pod-selector <labels>', 'only pods with these labels')
      .option('--dry-run [mode]', 'write nothing: server (tried there) or client')
      .addHelpText(
        'after',
        examples(
          'dhow drain node-1                        pods of workloads only',
          'dhow drain node-1 --ignore-daemonsets --delete-emptydir-data --timeout=5m',
          'dhow drain node-1 --force --dry-run      what would be evicted?',
        ),
      ),
    lazily(async () => (await import('../commands/drain.js')).drain),
  );
};
